"""A machine is lost: what was saved of Guardian brings back people, hosts, secrets and the audit log, on a folder that is empty."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyotp
import pytest

from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, Login, Session, SetUp
from guardian_tui.protocol.audit import AuditPage, AuditQuery, AuditVerdict
from guardian_tui.protocol.backups import (
    JobRef,
    RepositoryRef,
    RepositoryRow,
    RepositorySpec,
    RunList,
    RunRow,
    RunsQuery,
)
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.fleet import HostList, HostRow, HostSpec, HostsQuery, SecretSet
from tests.backups.conftest import PASSWORD as RESTIC
from tests.backups.conftest import Saved
from tests.support.engine import PASSWORD, ROOT, EngineProcess
from tests.support.postgres import Cluster

PASSPHRASE = "seven words that nobody else knows"


def command(home: Path, *argv: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """`guardian-tui state …` as a person runs it, who is asked over standard input."""
    environment = {**os.environ, "GUARDIAN_HOME": str(home), "HOME": str(home.parent)}
    return subprocess.run(
        [sys.executable, "-m", "guardian_tui", "state", *argv], cwd=ROOT, env=environment, input=said, text=True, capture_output=True,
        timeout=120, check=False,
    )  # fmt: skip


async def set_up(engine: EngineProcess) -> str:
    """The first admin; answers the authenticator's secret."""
    begun = await engine.client.call("setup.begin", Enrolment, SetUp(name="ada", password=PASSWORD))
    order = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
    engine.client.token = (await engine.client.call("setup.confirm", Enrolled, order)).session.token
    return begun.secret


async def lives_as_before(home: Path, secret: str, old_token: str) -> EngineProcess:
    """Start an engine over what was restored, and see that all is there."""
    engine = EngineProcess(
        home, (home / "config" / "config.toml").read_text().removesuffix("[audit]\nsyslog = false\n")
    )
    await engine.start()
    engine.client.token = old_token
    with pytest.raises(Exception, match=r"[Ss]ession|[Ll]og in"):
        await engine.client.call("hosts.list", HostList, HostsQuery())
    engine.client.token = ""
    # a code works once, and the one of the set-up may be the present one
    code = pyotp.TOTP(secret).at(int(time.time()) + 30)
    session = await engine.client.call("login", Session, Login(name="ada", password=PASSWORD, code=code))
    engine.client.token = session.token
    hosts = await engine.client.call("hosts.list", HostList, HostsQuery())
    assert "db-1" in {host.name for host in hosts.hosts}
    verdict = await engine.client.call("audit.verify", AuditVerdict, Nothing())
    assert verdict.ok, verdict
    events = (await engine.client.call("audit.list", AuditPage, AuditQuery(limit=200))).events
    actions = [event.action for event in events]
    assert actions.count("state.restore") == 1
    assert {"hosts.add", "secrets.set"} <= set(actions)
    return engine


async def test_by_the_command(tmp_path: Path, store_url: str, postgres: Cluster) -> None:
    old, new = tmp_path / "h", tmp_path / "n"
    settings = f'[store]\nurl = "{store_url}"\n' if store_url else ""
    engine = EngineProcess(old, settings)
    try:
        await engine.start()
        secret = await set_up(engine)
        await engine.client.call("hosts.add", HostRow, HostSpec(name="db-1", address="192.0.2.7"))
        await engine.client.call("secrets.set", Done, SecretSet(name="backups/vault", value=RESTIC))
        (old / "config" / "themes").mkdir()
        (old / "config" / "themes" / "mine.toml").write_text("# mine")
        # the engine works on meanwhile
        file = tmp_path / "state.tar"
        done = command(old, "export", str(file), said=f"{PASSPHRASE}\n{PASSPHRASE}\n")
        assert done.returncode == 0, done
        assert file.stat().st_mode & 0o777 == 0o600
        assert not list(tmp_path.glob(".guardian-*"))
        engine.kill()
    finally:
        await engine.client.close()
        if engine.process.poll() is None:
            engine.kill()
    shutil.rmtree(old)
    held = file.read_bytes()
    assert RESTIC.encode() not in held
    assert b"syslog = false" not in held

    into = ("--store-url", postgres.database()) if store_url else ()
    done = command(tmp_path / "none", "verify", str(file))
    assert done.returncode == 0, done
    wrong = command(
        tmp_path / "none", "restore", str(file), "--home", str(new), *into, said="another passphrase\n"
    )
    assert wrong.returncode == 1
    assert "passphrase does not open" in wrong.stderr
    assert not new.exists() or not list(new.iterdir())
    done = command(tmp_path / "none", "restore", str(file), "--home", str(new), *into, said=f"{PASSPHRASE}\n")
    assert done.returncode == 0, done
    assert "The audit log holds" in done.stdout
    assert (new / "config" / "themes" / "mine.toml").read_text() == "# mine"
    again = command(tmp_path / "none", "restore", str(file), "--home", str(new), said=f"{PASSPHRASE}\n")
    assert again.returncode == 1, again
    assert not list(new.glob(".*-restoring-*"))

    found = await lives_as_before(new, secret, engine.client.token)
    try:
        # the secret is read: restic gets its password from the vault that the login opened
        saved = Saved(found, tmp_path)
        await found.client.call("repositories.add", RepositoryRow, _repository(tmp_path, await saved.here()))
        made = await saved.ended(
            await found.client.call("repositories.make", RunRow, RepositoryRef(repository="vault"))
        )
        assert made.verdict == "ok", made
    finally:
        await found.client.close()
        found.kill()
    opened = subprocess.run(
        ["restic", "cat", "config", "-r", str(tmp_path / "vault"), "--no-cache"], env={"RESTIC_PASSWORD": RESTIC, "PATH": os.environ["PATH"]},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert opened.returncode == 0, opened


def _repository(folder: Path, host: str) -> RepositorySpec:
    return RepositorySpec(
        name="vault", engine="restic", location=str(folder / "vault"), host=host, secrets={"RESTIC_PASSWORD": "secret:backups/vault"}
    )  # fmt: skip


async def test_by_a_job_into_a_restic_repository(tmp_path: Path) -> None:
    old, new, place = tmp_path / "h", tmp_path / "n", tmp_path / "p"
    place.mkdir()
    engine = EngineProcess(old)
    saved = Saved(engine, place)
    try:
        await engine.start()
        secret = await set_up(engine)
        await engine.client.call("hosts.add", HostRow, HostSpec(name="db-1", address="192.0.2.7"))
        await saved.repository()
        with pytest.raises(InvalidRequest, match="engine's own machine"):
            await saved.job("elsewhere", host="db-1", sources=(), own_state=True)
        await saved.job("guardian", sources=(), own_state=True)
        run = await saved.run("guardian")
        assert run.verdict == "auth", run
        assert "secrets set --name backups/own-state" in run.words
        await engine.client.call("secrets.set", Done, SecretSet(name="backups/own-state", value=PASSPHRASE))
        run = await saved.run("guardian")
        assert run.verdict == "ok", run
        # nothing of it stays on the disk
        assert not [file for file in (old / "state" / "own-state").rglob("*") if file.is_file()]
        assert (await saved.row("guardian")).state == "ok"
        drill = await saved.ended(await engine.client.call("backups.drill", RunRow, JobRef(job="guardian")))
        assert (drill.verdict, drill.compared) == ("ok", 1), (drill, (await saved.detail(drill)).log)
        engine.kill()
    finally:
        await engine.client.close()
        if engine.process.poll() is None:
            engine.kill()
    shutil.rmtree(old)

    # on a bare machine: the repository, its password, the passphrase
    subprocess.run(
        ["restic", "restore", "latest", "-r", str(place / "vault"), "--no-cache", "--target", str(place / "back")],
        env={"RESTIC_PASSWORD": RESTIC, "PATH": os.environ["PATH"], "HOME": str(place)}, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (file,) = (place / "back").rglob("guardian-state.tar")
    done = command(new, "restore", str(file), said=f"{PASSPHRASE}\n")
    assert done.returncode == 0, done
    found = await lives_as_before(new, secret, engine.client.token)
    try:
        # the run that saved it is not begun again on the new machine, and is no failure
        runs = await found.client.call("backups.runs", RunList, RunsQuery(job="guardian"))
        assert (runs.runs[0].state, runs.runs[0].verdict) == ("ended", "cancelled"), runs
    finally:
        await found.client.close()
        found.kill()
