"""Restores to a host that does not get at the repository, carried by the engine: two Unix users behind two real sshd, real restic and Borg."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from guardian_tui.engine.backups import previews, records
from guardian_tui.engine.backups.engines.base import FileEntry
from guardian_tui.engine.backups.engines.carrying import Part, parts_of
from guardian_tui.engine.backups.reach import hindrance
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.backups.work import Restore
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.audit import AuditPage, AuditQuery
from guardian_tui.protocol.backups import (
    JobSpec,
    RepositorySpec,
    RestorePlan,
    RestoreQuery,
    RunRow,
    SnapshotList,
    SnapshotsQuery,
)
from guardian_tui.protocol.backups import Restore as RestoreOrder
from guardian_tui.protocol.errors import Conflict
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from tests.backups.conftest import Saved
from tests.fleet.conftest import *  # noqa: F403  # its fixtures: a fleet with a real store and real SSH
from tests.fleet.test_sshd import watched
from tests.fleet.world import World
from tests.support.disks import small_disk
from tests.support.sshd import Sshd, SshUser, ssh_user

PASSWORD = "behind secret:backups/v"
TREE = "20260101T000000Z-web-rsync-r1"
NAMES = (b"plain", b"new\nline", b"esc\x1b[2J", b"caf\xc3\xa9", b"\xff\xfe.bin")


@dataclass
class Two:
    """A host that reads a repository, and one that may not."""

    world: World
    backups: Backups
    keeper: SshUser
    far: SshUser
    servers: list[Sshd]
    folder: Path
    """Of the keeper's, with ``data`` and the repository."""
    password: list[str]

    @property
    def way(self) -> Way:
        found = self.world.fleet.inventory.way("far")
        assert found is not None
        return found

    @property
    def reader(self) -> Way:
        found = self.world.fleet.inventory.way("keeper")
        assert found is not None
        return found

    def become(self, *argv: str) -> str:
        """As the keeper's user, by hand."""
        env = [
            f"HOME={self.keeper.home}",
            "PATH=/usr/bin:/bin",
            f"RESTIC_PASSWORD={PASSWORD}",
            f"BORG_PASSPHRASE={PASSWORD}",
        ]
        user = ["setpriv", "--reuid", self.keeper.name, "--regid", self.keeper.name, "--init-groups"]
        done = subprocess.run(
            ["env", "-i", *env, *user, *argv],
            check=True,
            capture_output=True,
            text=True,
            cwd=self.keeper.home,
        )
        return done.stdout

    def own(self) -> None:
        subprocess.run(["chown", "-R", f"{self.keeper.name}:", str(self.folder)], check=True)

    async def saved(self, engine: str) -> tuple[Job, Repository, str]:
        """The data in a repository that was made by hand; a job that looks at it, and its snapshot."""
        vault, data = str(self.folder / engine), str(self.folder / "data")
        secrets: dict[str, str] = {}
        job_name = f"web-{engine}"
        match engine:
            case "restic":
                self.become("restic", "-q", "-r", vault, "init")
                self.become("restic", "-q", "-r", vault, "backup", f"--tag=guardian,job={job_name}", data)
                secrets = {"RESTIC_PASSWORD": "secret:backups/v"}
            case "borg":
                self.become("borg", "init", "-e", "repokey-blake2", vault)
                self.become("borg", "create", f"{vault}::guardian~{job_name}~files~r1~20260101T000000", data)
                secrets = {"BORG_PASSPHRASE": "secret:backups/v"}
            case "rsync":
                tree = f"{vault}/{TREE}"
                self.become("mkdir", "-p", tree)
                self.become("sh", "-c", f"tar -cf - -C / {data[1:]} | tar -xf - -C {tree}")
                Path(f"{tree}.manifest").write_text(
                    f"guardian-rsync 1 job={job_name} run=r1 host=keeper began=1767225600 files=5 bytes=40 code=0 lacking=0\n"
                )
            case "dumps":
                self.become("mkdir", "-p", vault)
                for name in ("sqlite-a.db", "sqlite-b.db"):
                    held, at = name.encode() * 3, 1767225600
                    about = f"began={at} ended={at} size={len(held)} host=keeper of=2 job={job_name} run=r1 name={name}"
                    Path(f"{vault}/web-r1-{name}").write_bytes(held)
                    Path(f"{vault}/web-r1-{name}.sha256").write_text(
                        f"# guardian-dump {about}\n{hashlib.sha256(held).hexdigest()}  web-r1-{name}\n"
                    )
        if not secrets:
            # nothing but who may enter keeps others out
            Path(vault).chmod(0o700)
        self.own()
        now, id_ = self.world.clock.now(), f"r-{engine}"
        spec = RepositorySpec(
            name=f"v-{engine}", engine=engine, location=vault, host="keeper", secrets=secrets  # type: ignore[arg-type]  # one of them
        )  # fmt: skip
        repository = Repository(id_, spec, "screen", now)
        job = Job(
            f"j-{engine}",
            JobSpec(name=job_name, host="keeper", repository=spec.name, sources=(data,), tries=1),
            self.reader.host_id,
            id_,
            "screen",
            now,
        )
        async with self.world.store.write() as tx:
            await records.put_repository(tx, repository, new=True)
            await records.put_job(tx, job, new=True)
        self.backups.repositories[id_], self.backups.jobs[job.id] = repository, job
        assert (await self.backups.read(repository)).verdict == "ok", repository.memory
        (snapshot,) = (await records.snapshots_of(self.world.store, job.id, before=0.0, limit=9))[0]
        return job, repository, snapshot.id

    async def previewed(
        self, saved: tuple[Job, Repository, str], query: RestoreQuery
    ) -> tuple[RestorePlan, previews.Wanted]:
        """What a person is told before."""
        _, repository, snapshot = saved
        sites = self.backups.sites
        wanted = await previews.wanted_of(sites, self.reader, repository, snapshot, query.includes)
        plan = await previews.preview(
            Commands(self.world.remote), sites, self.way, self.reader, repository, query, wanted
        )
        return plan, wanted

    async def queue(
        self, saved: tuple[Job, Repository, str], target: Path, *includes: str, known: tuple[tuple[str, str], ...] = (), size: int = 100
    ) -> Run:  # fmt: skip
        job, repository, snapshot = saved
        entries: tuple[FileEntry, ...] = ()
        if includes or repository.spec.engine == "dumps":
            found = await previews.wanted_of(self.backups.sites, self.reader, repository, snapshot, includes)
            entries = found.entries
        parts = parts_of(repository.spec, includes, entries)
        work = Restore(snapshot, includes, str(target), size, known, parts)
        async with self.world.store.write() as tx:
            return await self.backups.runner.queue(tx, work, job, repository, self.way, "ada")

    async def row(self, run: Run) -> RunRow:
        found = await records.run_named(self.world.store, run.row.id)
        assert found is not None
        return found[0]

    async def ended(self, run: Run) -> RunRow:
        async def over() -> bool:
            return (await self.row(run)).state == "ended"

        await until(over)
        return await self.row(run)


async def until(look: Callable[[], Awaitable[bool]], seconds: float = 90.0) -> None:
    async with asyncio.timeout(seconds):
        while not await look():
            await asyncio.sleep(0.01)


@pytest.fixture
def another() -> Iterator[SshUser]:
    with ssh_user() as user:
        yield user


@contextmanager
def another_sshd(user: SshUser) -> Iterator[Sshd]:
    folder = Path(tempfile.mkdtemp(prefix="sshd-"))
    folder.chmod(0o755)
    server = Sshd(folder / "one", user, "127.0.0.3", {})
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def begun(world: World, password: list[str]) -> Backups:
    async def resolve(reference: str) -> str:
        return f"{password[-1]}{reference}"

    inventory = world.fleet.inventory
    return Backups(
        world.store,
        world.bus,
        world.live,
        world.clock,
        world.sink,
        inventory,
        Commands(world.remote),
        resolve,
        400.0,
    )


@pytest.fixture
async def two(
    world: World, sshd: Callable[..., Sshd], unix_user: SshUser, another: SshUser
) -> AsyncIterator[Two]:
    folder = unix_user.home / f"carried-{os.urandom(4).hex()}"
    (folder / "data").mkdir(parents=True)
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(folder / "data") + b"/" + name)).write_bytes(name)
    (folder / "data/plain").chmod(0o640)
    os.utime(folder / "data/plain", (1_700_000_000, 1_700_000_000))
    password = ["behind "]
    with another_sshd(another) as server:
        one = Two(world, begun(world, password), unix_user, another, [sshd(), server], folder, password)
        one.own()
        await watched(world, one.servers[0], "keeper")
        await watched(world, server, "far")
        await one.backups.start()
        yield one
        await one.backups.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def test_files_come_whole_to_a_host_that_can_t_read_the_repository_and_are_compared_there(
    two: Two,
) -> None:
    saved = await two.saved("restic")
    query = RestoreQuery(job="web", snapshot=saved[2], host="far", target=str(two.far.home / "back"))
    refused, _ = await two.previewed(saved, query)
    assert "far does not get at v-restic" in refused.hindered and refused.carriable
    plan, _ = await two.previewed(saved, replace(query, carried=True))
    assert (plan.hindered, plan.files, plan.fits, plan.overwritten_files) == ("", 5, True, 0)
    assert plan.commands[0].startswith("keeper: restic ") and plan.commands[1].startswith("far: tar -xp ")
    assert "ACLs" in plan.notes[0]

    data = two.folder / "data"
    known = (
        (f"{data}/plain", hashlib.sha256(b"plain").hexdigest()),
        (f"{data}/new\nline", hashlib.sha256(b"new\nline").hexdigest()),
    )
    row = await two.ended(await two.queue(saved, Path(query.target), known=known))
    assert (row.verdict, row.files, row.compared, row.mismatches) == ("ok", 5, 2, ()), row.words
    assert "carried by the engine from keeper" in row.words and "2 files are to the bit" in row.words
    back = os.fsencode(query.target) + os.fsencode(data)
    assert set(os.listdir(back)) == set(NAMES)
    assert all(Path(os.fsdecode(back + b"/" + name)).read_bytes() == name for name in NAMES)
    told = os.stat(back + b"/plain")
    assert (told.st_mode & 0o777, told.st_mtime, told.st_uid) == (
        0o640,
        1_700_000_000,
        pwd.getpwnam(two.far.name).pw_uid,
    )

    # one file alone, and what is not what it was when it was saved
    target = two.far.home / "one"
    wrong = ((f"{data}/plain", "0" * 64),)
    row = await two.ended(await two.queue(saved, target, f"{data}/plain", known=wrong))
    assert (row.verdict, row.files, row.mismatches) == ("failed", 1, (f"{data}/plain",)), row
    (only,) = [path for path in target.rglob("*") if path.is_file()]
    assert (only.read_bytes(), only.stat().st_mode & 0o777, only.stat().st_mtime) == (
        b"plain",
        0o640,
        1_700_000_000,
    )

    # whoever reads may not, and whoever unpacks can't
    two.password.append("wrong ")
    row = await two.ended(await two.queue(saved, two.far.home / "none"))
    assert row.verdict == "auth", row
    two.password.pop()
    with small_disk(two.far.home / "small", 1) as disk:
        with (disk / "rest").open("wb", buffering=0) as rest, pytest.raises(OSError):
            while True:
                rest.write(bytes(4096))
        row = await two.ended(await two.queue(saved, disk, size=0))
    assert row.verdict == "no_space", row


async def test_what_is_ended_cut_or_left_by_the_engine_in_the_midst_says_so_and_goes_no_further(
    two: Two,
) -> None:
    (two.folder / "data/large").write_bytes(os.urandom(96 << 20))
    two.own()
    saved = await two.saved("restic")

    async def carried(target: str) -> Run:
        run = await two.queue(saved, two.far.home / target)

        async def moves() -> bool:
            now = two.backups.runner.runs[run.row.id].row.progress
            return now is not None and now.bytes_done > 1 << 20

        await until(moves)
        return run

    run = await carried("ended")
    await two.backups.runner.cancel(run)
    row = await two.ended(run)
    assert (row.verdict, row.words) == ("cancelled", "It was ended by a person."), row
    run = await carried("cut")
    two.servers[1].stop()
    row = await two.ended(run)
    assert row.verdict == "network" and "from keeper to far" in row.words, row
    two.servers[1].start()
    run = await carried("left")
    await two.backups.stop()
    two.backups = begun(two.world, two.password)
    await two.backups.start()
    row = await two.ended(run)
    assert (row.state, row.verdict) == ("ended", "failed") and "The engine ended while" in row.words, row
    for target in ("ended", "cut", "left"):
        part = two.far.home / f"{target}{two.folder}/data/large"
        assert not part.exists() or part.stat().st_size < 96 << 20


async def test_borg_writes_it_too_as_a_whole_or_a_path_of_it(two: Two) -> None:
    saved = await two.saved("borg")
    row = await two.ended(await two.queue(saved, two.far.home / "whole"))
    assert (row.verdict, row.files) == ("ok", 5), row
    back = os.fsencode(two.far.home / "whole") + os.fsencode(two.folder / "data")
    assert set(os.listdir(back)) == set(NAMES)
    path = str(two.folder / "data/plain")
    row = await two.ended(await two.queue(saved, two.far.home / "part", path))
    assert (row.verdict, row.files) == ("ok", 1), row
    assert (two.far.home / f"part{path}").read_bytes() == b"plain"


async def test_trees_of_rsync_and_dumps_are_carried_too_and_another_folder_of_that_name_is_not_taken_for_theirs(
    two: Two,
) -> None:
    saved = await two.saved("rsync")
    query = RestoreQuery(job="web", snapshot=saved[2], host="far", target=str(two.far.home / "tree"))
    refused, _ = await two.previewed(saved, query)
    assert refused.carriable and "does not get at v-rsync" in refused.hindered, refused
    plan, _ = await two.previewed(saved, replace(query, carried=True))
    assert plan.commands[0] == f"keeper: tar -cf - ./, in {two.folder}/rsync/{TREE}", plan
    row = await two.ended(await two.queue(saved, Path(query.target)))
    assert (row.verdict, row.files) == ("ok", 5), row
    data = two.folder / "data"
    back = os.fsencode(query.target) + os.fsencode(data)
    assert set(os.listdir(back)) == set(NAMES)
    told = os.stat(back + b"/plain")
    assert (told.st_mode & 0o777, told.st_mtime) == (0o640, 1_700_000_000)
    row = await two.ended(await two.queue(saved, two.far.home / "one", f"{data}/plain"))
    assert (row.verdict, row.files) == ("ok", 1), row
    assert (two.far.home / f"one{data}/plain").read_bytes() == b"plain"

    saved = await two.saved("dumps")
    query = RestoreQuery(job="web", snapshot=saved[2], host="far", target=str(two.far.home / "dumps"))
    plan, wanted = await two.previewed(saved, replace(query, carried=True))
    assert (plan.hindered, plan.files, plan.notes[0]) == (
        "",
        2,
        "It is carried by the engine, and its hashes are compared there.",
    )
    assert plan.commands[0].startswith("keeper: cat the dump sqlite-a.db of the run r1, in "), plan
    known = tuple((one.path, one.sha256) for one in wanted.entries)
    row = await two.ended(await two.queue(saved, Path(query.target), known=known))
    assert (row.verdict, row.files, row.compared) == ("ok", 2, 2), row
    assert (two.far.home / "dumps/sqlite-a.db").read_bytes() == b"sqlite-a.db" * 3
    # one of them was damaged where it lies
    (two.folder / "dumps/web-r1-sqlite-b.db").write_bytes(b"sqlite-X.db" * 3)
    row = await two.ended(await two.queue(saved, two.far.home / "bad", "/sqlite-b.db", known=known[1:]))
    assert (row.verdict, row.files, row.mismatches) == ("failed", 1, ("/sqlite-b.db",)), row
    # there is a folder of that name there too, and its own dumps are in it
    _, repository, snapshot = saved
    own = two.far.home / "kept"
    subprocess.run(["install", "-d", "-o", two.far.name, str(own)], check=True)
    repository.spec = replace(repository.spec, location=str(own))
    place = await two.backups.sites.place(two.way, repository.spec)
    words = await hindrance(two.backups.sites, two.way, two.reader, repository, place, snapshot)
    assert "what lies there under this name is another repository" in words, words


def test_what_can_t_be_carried_says_why_and_what_to_do_instead() -> None:
    link = FileEntry("/etc/link", "link")

    def spec(engine: str, **options: str) -> RepositorySpec:
        return RepositorySpec(name="v", engine=engine, location="/v", host="h", options=options)  # type: ignore[arg-type]  # one of them

    for one, includes, words in (
        (spec("pgbackrest"), (), "Restore it on the host that reads the repository, stop it, and copy its folder"),
        (spec("rsync", **{"fake-super": "yes"}), (), "copy that by rsync"),
        (spec("restic"), ("/etc/link",), "neither a file nor a folder"),
        (spec("restic"), tuple(f"/{number}" for number in range(201)), "more than 200 paths"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            parts_of(one, includes, (link,))
    assert parts_of(spec("restic"), ("/etc/",), (FileEntry("/etc", "dir"),)) == (Part("/etc"),)
    assert parts_of(spec("rsync"), ("/etc/link",), (link,)) == (Part("/etc/link"),)
    dump = FileEntry("/a.db", "file", 3, 1.0, 0o600)
    for includes in ((), ("/",), ("/a.db",)):
        assert parts_of(spec("dumps"), includes, (dump,)) == (Part("/a.db", True, 3, 0o600, 1.0),)


async def test_by_the_order_of_a_person_from_the_machine_of_the_engine(
    saved: Saved, sshd: Callable[..., Sshd]
) -> None:
    """The whole way: the preview refuses and offers it, the order carries it, the audit log says from where."""
    await saved.repository()
    await saved.job()
    run = await saved.run()
    assert run.verdict == "ok", run
    server = sshd()
    key = saved.folder / "key"
    shutil.copy(server.client_key, key)
    key.chmod(0o600)
    known = f"[{server.address}]:{server.port} {server.host_key}"
    call = saved.client.call
    await call("hosts.import", ImportPreview, ImportRequest(known_hosts=known, names=()))
    spec = HostSpec(
        name="far", address=server.address, port=server.port, user=server.user, credential=f"key:{key}"
    )
    await call("hosts.add", HostRow, spec)
    target = server.home / f"back-{os.urandom(4).hex()}"
    snapshots = await call("backups.snapshots", SnapshotList, SnapshotsQuery(job="web"))
    order = RestoreOrder(job="web", snapshot=snapshots.snapshots[0].id, host="far", target=str(target))
    query = RestoreQuery(job="web", snapshot=order.snapshot, host="far", target=order.target)
    plan = await call("backups.preview", RestorePlan, query)
    assert "does not get at vault" in plan.hindered and plan.carriable
    with pytest.raises(Conflict, match="does not get at vault"):
        await call("backups.restore", RunRow, order)
    done = await saved.ended(await call("backups.restore", RunRow, replace(order, carried=True)))
    assert (done.verdict, done.host, done.files) == ("ok", "far", 30), done
    assert done.compared > 0 and done.mismatches == ()
    back = target / str(saved.data)[1:]
    assert {path.name for path in back.iterdir()} == {path.name for path in saved.data.iterdir()}
    page = await call("audit.list", AuditPage, AuditQuery(limit=50))
    bodies = [str(event.body) for event in page.events if event.action == "backups.restore"]
    here = await saved.here()
    assert any("carried_from" in body and here in body for body in bodies), bodies
