"""Acts on a real host: a process is signalled only while it is the one that was seen; units and logs through what the host has."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.logs import file_command, file_lines, journal_command, journal_lines
from guardian_tui.protocol.acts import ControlUnit, LogQuery, SignalProcess
from guardian_tui.protocol.errors import Conflict, HostUnavailable, InvalidRequest, NotFound
from tests.fleet.test_sshd import watched
from tests.fleet.world import World
from tests.support.sshd import Sshd, SshUser

ENTRY = '{"__CURSOR":"s=0a;i=1%d;b=ff","__REALTIME_TIMESTAMP":"17000000%02d000000","PRIORITY":"3","SYSLOG_IDENTIFIER":"nginx","MESSAGE":"%s"}'


@pytest.fixture
def sleeper(unix_user: SshUser) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the host's user."""
    words = ["sleep", "300"]
    own = subprocess.Popen(words) if os.geteuid() else subprocess.Popen(words, user=unix_user.name)
    yield own
    own.kill()
    own.wait()


async def test_a_process_is_ended_only_while_it_is_the_one_that_was_seen(
    world: World, sshd: Callable[..., Sshd], sleeper: subprocess.Popen[bytes]
) -> None:
    await watched(world, sshd())
    with pytest.raises(Conflict, match="sleep 300"):
        await world.order(
            "processes.signal", SignalProcess(host="real", pid=sleeper.pid, command="nginx: worker")
        )
    assert sleeper.poll() is None
    done = await world.order(
        "processes.signal", SignalProcess(host="real", pid=sleeper.pid, command="sleep 300")
    )
    assert sleeper.wait(10) == -15
    assert "SIGTERM was sent" in done.words
    with pytest.raises(NotFound):
        await world.order(
            "processes.signal", SignalProcess(host="real", pid=sleeper.pid, command="sleep 300")
        )


async def test_what_the_account_may_not_signal_says_who_refused_it_and_what_would_help(
    world: World, sshd: Callable[..., Sshd]
) -> None:
    host = await watched(world, sshd())
    own = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    if os.geteuid():
        pytest.fail("run as root: a process of another user is needed")
    query = SignalProcess(host="real", pid=os.getpid(), command=own[:200].strip(), signal="CONT")
    with pytest.raises(HostUnavailable, match="sudoers"):
        await world.order("processes.signal", query)
    assert host.state in ("up", "unknown")


def with_programs(server: Sshd, **scripts: str) -> None:
    """Give a host programs of its own, found before those of the system."""
    folder = server.folder / "bin"
    folder.mkdir()
    folder.chmod(0o755)
    for name, text in scripts.items():
        file = folder / name
        file.write_text(text)
        file.chmod(0o755)
    server.stop()
    server._options["SetEnv"] = f"PATH={folder}:/usr/bin:/bin"
    server.start()


async def test_a_unit_is_restarted_with_sudo_where_the_account_alone_may_not(
    world: World, sshd: Callable[..., Sshd]
) -> None:
    server = sshd()
    said = server.folder / "said"
    said.write_text("")
    said.chmod(0o666)
    may = f'#!/bin/sh\n[ "$1" = is-active ] && {{ echo active; exit; }}\n[ "$RIGHTS" ] || exit 4\necho "$@" >>{said}\n'
    with_programs(server, systemctl=may, sudo='#!/bin/sh\n[ "$1" = -n ] && shift && RIGHTS=1 exec "$@"\n')
    await watched(world, server)
    done = await world.order(
        "units.control", ControlUnit(host="real", unit="php8.2-fpm.service", act="restart")
    )
    assert said.read_text() == "--no-ask-password restart -- php8.2-fpm.service\n"
    assert "it is active now" in done.words


@pytest.mark.parametrize("unit", ["-x", "a;reboot", "$(id)", "a b", "../x", "a\nb", ""])
def test_a_units_name_can_be_nothing_else(unit: str) -> None:
    import msgspec

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"host": "h", "unit": unit, "act": "restart"}, ControlUnit)
    with pytest.raises(InvalidRequest):
        journal_command("unit", unit, LogQuery(host="h"))


async def test_the_journal_is_followed_from_its_cursor_and_searched(
    world: World, sshd: Callable[..., Sshd]
) -> None:
    server = sshd()
    first, later = ENTRY % (1, 1, "started \\u001b]52;c;aGk=\\u0007"), ENTRY % (2, 2, "upstream timed out")
    script = f"#!/bin/sh\ncase \"$*\" in *after-cursor*) echo '{later}' ;; *) echo 'no json'; echo '{first}' ;; esac\n"
    with_programs(server, journalctl=script)
    await watched(world, server)
    answer = await world.order("logs.read", LogQuery(host="real", source="unit:nginx.service"))
    (line,) = answer.lines
    assert line.source == "nginx" and line.priority == 3 and line.at == 1_700_000_001.0
    assert line.text.isprintable() and "]52;" in line.text
    answer = await world.order(
        "logs.read", LogQuery(host="real", source="unit:nginx.service", after=answer.cursor, match="timed")
    )
    assert [line.text for line in answer.lines] == ["upstream timed out"]
    answer = await world.order(
        "logs.read", LogQuery(host="real", source="unit:nginx.service", after=answer.cursor, match="^x")
    )
    assert answer.lines == ()


@pytest.fixture
def log_file() -> Iterator[Path]:
    """A log below /var/log."""
    file = Path(f"/var/log/guardian-test-{os.getpid()}.log")
    file.write_text("one\ntwo\nthree\n")
    file.chmod(0o644)
    yield file
    file.unlink(missing_ok=True)


async def test_a_file_is_followed_by_its_bytes_also_over_a_rotation(
    world: World, sshd: Callable[..., Sshd], log_file: Path
) -> None:
    await watched(world, sshd())

    async def read(after: str = "") -> tuple[list[str], str]:
        answer = await world.order(
            "logs.read", LogQuery(host="real", source=f"file:{log_file}", lines=2, after=after)
        )
        return [line.text for line in answer.lines], answer.cursor

    lines, cursor = await read()
    assert lines == ["two", "three"]
    assert await read(cursor) == ([], cursor)
    with log_file.open("a") as log:
        log.write("four\n")
    lines, cursor = await read(cursor)
    assert lines == ["four"]
    # rotated: another inode
    log_file.rename(f"{log_file}.1")
    log_file.write_text("five\n")
    log_file.chmod(0o644)
    try:
        assert (await read(cursor))[0] == ["five"]
    finally:
        Path(f"{log_file}.1").unlink()


async def test_a_log_that_leads_out_of_var_log_is_not_read(
    world: World, sshd: Callable[..., Sshd], log_file: Path
) -> None:
    log_file.unlink()
    log_file.symlink_to("/etc/passwd")
    await watched(world, sshd())
    with pytest.raises(HostUnavailable, match="out of /var/log"):
        await world.order("logs.read", LogQuery(host="real", source=f"file:{log_file}"))
    for path in ("/etc/passwd", "/var/log/../../etc/passwd", "/var/log/a b", "/var/log/$(id)"):
        with pytest.raises(InvalidRequest):
            file_command(path, LogQuery(host="real"))


async def test_a_pattern_or_cursor_that_is_none_is_said(world: World, sshd: Callable[..., Sshd]) -> None:
    await watched(world, sshd())
    for query in (
        LogQuery(host="real", match="("), LogQuery(host="real", after="--help"), LogQuery(host="real", source="file:/var/log/x", after="1"),
        LogQuery(host="real", source="journal:x"),
    ):  # fmt: skip
        with pytest.raises(InvalidRequest):
            await world.order("logs.read", query)


@given(st.binary(max_size=300))
def test_no_log_however_odd_is_more_than_harmless_lines(data: bytes) -> None:
    for lines, cursor in (journal_lines(data), file_lines(data, "/var/log/x")):
        assert all(line.text.isprintable() and 0 <= line.priority <= 7 for line in lines)
        assert len(cursor) < 400


def test_a_message_of_bytes_is_read() -> None:
    entry = b'{"__CURSOR":"s=0;i=1","__REALTIME_TIMESTAMP":"1000000","MESSAGE":[104,105,27,255,-1,"x"]}'
    (line,), cursor = journal_lines(entry)
    assert line.text.startswith("hi") and line.text.isprintable() and cursor == "s=0;i=1"
