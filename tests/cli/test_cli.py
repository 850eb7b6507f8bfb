"""The headless commands: what the screen can do, a script can do."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from pathlib import Path

import asyncssh
import click
import msgspec
import pyotp
import pytest
from click.testing import CliRunner, Result

from guardian_tui.cli.edit import changed
from guardian_tui.cli.main import main
from guardian_tui.cli.routes import headless_routes
from guardian_tui.cli.session import read_token
from guardian_tui.protocol.fleet import HostDetail, HostRef, HostSpec
from guardian_tui.protocol.routes import ROUTES
from guardian_tui.protocol.system import Hello
from tests.support.console import PASSWORD, House, house, until


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))


async def guardian(*words: str, feed: str = "") -> Result:
    """A command, in a thread: it has a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, main, list(words), input=feed)


async def login(one: House) -> None:
    done = await guardian("login", "--name", "ada", feed=f"{PASSWORD}\n{one.recovery_code()}\n")
    assert done.exit_code == 0, done.output
    assert "Logged in as ada" in done.output


async def test_hosts_are_added_shown_changed_and_removed_without_a_screen(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await login(one)
        assert oct(one.paths.cli_token.stat().st_mode)[-3:] == "600"
        done = await guardian(
            "hosts", "add", "--name", "web-1", "--address", "127.0.0.1", "--port", "1", "--labels", "role=web"
        )
        assert done.exit_code == 0, done.output
        listed = await guardian("hosts", "list", "--filter", "role=web", "--json")
        (row,) = json.loads(listed.output)["hosts"]
        assert row["labels"] == {"role": "web"}
        assert "web-1" in (await guardian("hosts", "list")).output
        assert "spec" in (await guardian("hosts", "show", "web-1")).output
        assert "port and banner" in (await guardian("hosts", "test", "web-1")).output
        assert (await guardian("hosts", "remove", "web-1")).output == "Done.\n"
        missing = await guardian("hosts", "show", "web-1")
        assert missing.exit_code == 1
        assert "no such thing" in missing.output
        wrong = await guardian("hosts", "add", "--name", "-x")
        assert wrong.exit_code == 2
        now = time.time()
        chart = await guardian(
            "hosts", "history", "local", "--metric", "load1", "--start", str(now - 60), "--end", str(now)
        )
        assert chart.exit_code == 0, chart.output


async def test_a_dangerous_order_asks_for_a_code_and_goes_on_with_the_new_token(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await login(one)
        before = read_token(one.paths.cli_token)
        for known in one.engine.access._sessions._known.values():
            known.fresh_until = 0.0
        done = await guardian(
            "secrets", "set", "--name", "mail", "--value", "x", feed=f"{one.recovery_code()}\n"
        )
        assert done.exit_code == 0, done.output
        assert read_token(one.paths.cli_token) != before
        invited = await guardian(
            "accounts", "invite", "--name", "eve", "--grants", "viewer@role=web", "--json"
        )
        assert invited.exit_code == 0, invited.output
        assert json.loads(invited.output)["account"]["grants"] == [{"profile": "viewer", "scope": "role=web"}]


async def test_an_engine_with_a_systemd_credential_opens_its_vault_when_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = tmp_path / "credentials" / "guardian-vault-key"
    credential.parent.mkdir(mode=0o700)
    credential.write_bytes(os.urandom(32))
    credential.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credential.parent))
    async with house(tmp_path) as one:
        await login(one)
        added = await guardian("vault", "add-credential", "--json")
        assert added.exit_code == 0, added.output
        slot = json.loads(added.output)
        assert slot["kind"] == "credential" and slot["at_start"]
        listed = await guardian("vault", "slots")
        assert all(
            word in listed.output for word in ("account", "ada", "recovery", "credential", slot["owner"])
        )
    async with house(tmp_path, set_up=False) as one:
        await until(lambda: not one.engine.vault.locked)
        assert not (await one.client.call("hello", Hello)).vault_locked
        assert (await guardian("accounts", "list")).exit_code == 0
        removed = await guardian("vault", "remove-slot", slot["id"])
        assert removed.exit_code == 0, removed.output
    async with house(tmp_path, set_up=False) as one:
        assert (await one.client.call("hello", Hello)).vault_locked


async def test_the_audit_log_is_listed_exported_and_verified_offline(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await login(one)
        assert "setup.confirm" in (await guardian("audit", "tail")).output
        assert (await guardian("audit", "verify")).exit_code == 0
        told = await guardian("engine", "status", "--figures")
        assert told.exit_code == 0, told.output
        assert all(
            words in told.output for words in ("watching:", "sent late by", "sqlite", "errors of our own:")
        )
        assert (
            json.loads((await guardian("engine", "status", "--figures", "--json")).output)["store_bytes"] > 0
        )
        bundle = tmp_path / "bundle.json"
        bundle.write_text((await guardian("audit", "export")).output)
        assert (await guardian("audit", "verify", str(bundle), "--json")).exit_code == 0
        bundle.write_text(bundle.read_text().replace('"actor":"ada"', '"actor":"eve"'))
        broken = await guardian("audit", "verify", str(bundle))
        assert broken.exit_code == 1
        bundle.write_text("nonsense")
        assert "no audit export" in (await guardian("audit", "verify", str(bundle))).output
        assert (await guardian("logout")).exit_code == 0
        assert not one.paths.cli_token.exists()
        assert (await guardian("hosts", "list")).exit_code == 4
        assert (await guardian("engine", "status", "--figures")).exit_code == 4
        one.paths.cli_token.write_text("dead")
        assert (await guardian("hosts", "list")).exit_code == 4


async def test_the_engine_is_started_asked_and_stopped(tmp_path: Path) -> None:
    assert (await guardian("engine", "status")).exit_code == 3
    absent = await guardian("engine", "status", "--json")
    assert (absent.exit_code, absent.stdout) == (3, "") and "No engine listens" in absent.stderr
    assert "No engine runs" in (await guardian("engine", "stop")).output
    assert (await guardian("hosts", "list")).exit_code == 3
    started = await guardian("engine", "start")
    assert started.exit_code == 0, started.output
    assert "already" in (await guardian("engine", "start")).output
    assert "stays when you leave" in (await guardian("engine", "status")).output
    assert json.loads((await guardian("engine", "status", "--json")).output)["set_up"] is False
    assert "Stop the engine first" in (await guardian("recover", "--name", "ada")).output
    assert "is stopped" in (await guardian("engine", "stop")).output


async def test_an_engine_that_listens_and_does_not_answer_is_not_called_absent(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    (tmp_path / "run").mkdir()
    server = await asyncio.start_unix_server(hang_up, tmp_path / "run" / "engine.sock")
    done = await guardian("engine", "status")
    assert done.exit_code == 1
    assert "does not answer" in done.output and "No engine listens" not in done.output
    server.close()


async def test_a_broken_configuration_is_told_where_the_engine_is_started(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text("nonsense = 1\n")
    done = await guardian("engine", "start")
    assert done.exit_code == 1
    assert "nonsense" in done.output and "line 1" in done.output


async def test_recovery_sets_a_new_password_with_the_printed_key(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        assert one.enrolled is not None
        key, secret = one.enrolled.recovery_key, one.secret
    new = "recovered donkey staple 7"
    refused = await guardian("recover", "--name", "ada", feed=f"ABCD\n{new}\n{new}\n")
    assert refused.exit_code == 1
    done = await guardian("recover", "--name", "ada", feed=f"{key}\n{new}\n{new}\n")
    assert done.exit_code == 0, done.output
    async with house(tmp_path, set_up=False):
        code = pyotp.TOTP(secret).at(time.time() + 30)
        assert (await guardian("login", "--name", "ada", feed=f"{new}\n{code}\n")).exit_code == 0


def test_an_edit_changes_what_is_named_and_leaves_the_rest() -> None:
    spec = HostSpec(name="web-1", address="10.0.0.5", labels={"role": "web", "rack": "7"}, jump=("gate",))
    edited = changed(spec, {"port": "2222", "labels": ("rack=", "site=ams"), "user": None, "jump": ()})
    assert edited == msgspec.structs.replace(spec, port=2222, labels={"role": "web", "site": "ams"})
    with pytest.raises(click.BadParameter, match="<= 65535") as refused:
        changed(spec, {"port": "99999"})
    assert refused.value.param_hint == "'--port'"


async def test_a_host_is_edited_headless(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await login(one)
        done = await guardian(
            "hosts", "add", "--name", "web-1", "--address", "127.0.0.9", "--labels", "role=web"
        )
        assert done.exit_code == 0, done.output
        done = await guardian("hosts", "edit", "web-1", "--interval-seconds", "60", "--label", "site=ams")
        assert done.exit_code == 0, done.output
        detail = await one.client.call("hosts.show", HostDetail, HostRef(host="web-1"))
        assert detail.spec.interval_seconds == 60 and detail.spec.address == "127.0.0.9"
        assert detail.spec.labels == {"role": "web", "site": "ams"}


def test_without_a_terminal_the_console_says_so() -> None:
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 2
    assert "wants a terminal" in done.output
    assert "hosts" in CliRunner().invoke(main, ["--help"]).output
    assert "guardian-tui" in CliRunner().invoke(main, ["--version"]).output


def test_every_order_but_those_of_the_screen_has_a_headless_twin() -> None:
    screen_only = {
        "hello",
        "login",
        "logout",
        "session.attach",
        "session.touch",
        "session.lock",
        "session.unlock",
    }
    expected = {
        name
        for name, route in ROUTES.items()
        if not (
            route.raw
            or route.stream
            or name in screen_only
            or name.startswith(("setup.", "enrol.", "engine.", "shell."))
        )
    }
    assert {route.name for route in headless_routes()} == expected


async def test_hosts_are_imported_after_their_diff_was_shown_and_a_script_is_run_here(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await login(one)
        table = tmp_path / "hosts.csv"
        table.write_text("name,address,port,labels\nweb-1,127.0.0.9,9,rack=r1\nweb-2,127.0.0.9,nine,\n")
        shown = await guardian("hosts", "import", str(table))
        assert shown.exit_code == 0, shown.output
        assert "+ web-1" in shown.output and "hosts.csv:3" in shown.output and "--all takes" in shown.output
        assert "web-1" not in (await guardian("hosts", "list")).output
        assert "1 added" in (await guardian("hosts", "import", str(table), "--all")).output
        table.write_text("name,address,port,labels\nweb-1,127.0.0.8,9,rack=r2\n")
        again = (await guardian("hosts", "import")).output
        assert (
            "~ web-1" in again
            and "address: 127.0.0.9 → 127.0.0.8" in again
            and "label rack: r1 → r2" in again
        )
        assert "1 changed" in (await guardian("hosts", "import", "--only", "web-1")).output
        assert (
            "is not in the source"
            in (await guardian("hosts", "import", str(table), "--only", "web-7")).output
        )
        script = tmp_path / "inventory"
        script.write_text(
            '#!/bin/sh\n[ "$1" = --list ] && echo \'{"web": {"hosts": ["s-1"]}, "_meta": {"hostvars": {"s-1": {"ansible_host": "127.0.0.9"}}}}\'\n'
        )
        script.chmod(0o700)
        assert "1 added" in (await guardian("hosts", "import", str(script), "--all")).output
        script.write_text("#!/bin/sh\nexit 3\n")
        refused = await guardian("hosts", "import", str(script))
        assert refused.exit_code == 1 and "failed (3)" in refused.output
        # what was imported before is read again, but no script is run that nobody names
        assert "inventory" not in (await guardian("hosts", "import")).output
        told = await guardian("hosts", "import", "--run", f"cat {table}", "--format", "csv", "--json")
        assert json.loads(told.output)["found"][0]["status"] == "unchanged"
        table.write_text("name\n")
        assert "web-1 is gone" in (await guardian("hosts", "import", str(table))).output
        assert "1 removed" in (await guardian("hosts", "import", str(table), "--remove-gone")).output


async def test_many_hosts_are_changed_after_their_number_was_typed_in(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await login(one)
        table = tmp_path / "hosts.csv"
        table.write_text("name,address,groups\n" + "".join(f"web-{n},127.0.0.9,web\n" for n in range(7)))
        await guardian("hosts", "import", str(table), "--all")
        shown = await guardian(
            "hosts", "bulk", "--filter", "group=web", "--set", "label.team=shop", feed="6\n"
        )
        assert (
            shown.exit_code == 1
            and "7 hosts: web-0, web-1" in shown.output
            and "Nothing was changed" in shown.output
        )
        done = await guardian(
            "hosts", "bulk", "--filter", "group=web", "--set", "label.team=shop", feed="7\n"
        )
        assert done.exit_code == 0 and "7 changed" in done.output, done.output
        few = await guardian(
            "hosts",
            "bulk",
            "--host",
            "web-1",
            "--set",
            "environment=prod",
            "--remove",
            "group=web",
            feed="y\n",
        )
        assert few.exit_code == 0 and "1 changed" in few.output, few.output
        assert (
            "6 changed"
            in (
                await guardian(
                    "hosts", "bulk", "--filter", "group=web", "--set", "maintenance=2h", "--count", "6"
                )
            ).output
        )
        assert (
            "7 hosts now, not 3"
            in (
                await guardian("hosts", "bulk", "--filter", "team=shop", "--set", "user=x", "--count", "3")
            ).output
        )
        for wrong in (("--set", "colour=red"), ("--set", "maintenance=soon"), ("--remove", "user"), ()):
            assert (await guardian("hosts", "bulk", "--filter", "web", *wrong)).exit_code == 2


async def test_new_host_keys_are_accepted_as_a_list_or_only_those_of_a_file(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await login(one)
        table = tmp_path / "hosts.csv"
        table.write_text(
            "name,address,credential\n" + "".join(f"web-{n},127.0.0.9,key:/nowhere\n" for n in range(8))
        )
        await guardian("hosts", "import", str(table), "--all")
        seen = {}
        for host in one.engine.fleet.inventory.hosts.values():
            if host.target is not None:
                key = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
                one.engine.fleet._questions.about_key(host.target, key, ())
                seen[host.spec.name] = key.get_fingerprint()
        known = tmp_path / "fingerprints"
        known.write_text(f"# from the console\nweb-0 {seen['web-0']}\nweb-1 SHA256:another\n")
        listed = await guardian("questions", "accept", "--list", str(known), feed="y\n")
        assert listed.exit_code == 0 and "1 key pinned" in listed.output, listed.output
        assert f"web-1 shows {seen['web-1']}, but the list has SHA256:another" in listed.output
        refused = await guardian("questions", "accept", feed="8\n")
        assert (
            refused.exit_code == 1 and "Type 7 to go on" in refused.output and seen["web-7"] in refused.output
        )
        assert "Nothing was changed" in refused.output
        wrong = await guardian("questions", "accept", "--count", "3")
        assert "7 keys, not 3" in wrong.output
        assert "7 keys pinned" in (await guardian("questions", "accept", feed="7\n")).output
        assert "No new host waits" in (await guardian("questions", "accept")).output


async def test_lint_holds_what_a_runbook_names_against_what_the_engine_has(tmp_path: Path) -> None:
    book = tmp_path / "book.md"
    book.write_text(
        "---\nid: book\ntitle: Book\nversion: 1\nhosts: [local, web-9]\n---\n"
        "```step one\nbackup: nightly\n```\n```step two\nnotify: Look.\n```\n"
    )
    async with house(tmp_path) as one:
        await login(one)
        assert (await guardian("runbooks", "lint", "--strict", str(book))).exit_code == 0
        done = await guardian("runbooks", "lint", "--ask", "--strict", str(book))
        hint = f"It is one of {', '.join(sorted({'local', socket.gethostname()}))}."
        assert done.exit_code == 1 and done.stdout.splitlines() == [
            f"{book}:5:8: warning: There is no host 'web-9'. {hint} [unknown-host]",
            f"{book}:8:9: warning: There is no backup job 'nightly'. There is none yet. [unknown-backup-job]",
            f"{book}:11:1: warning: This tells nobody, and fails: there is no channel. Set one up under [alerts.channels]. [no-channel]",
        ]  # fmt: skip
