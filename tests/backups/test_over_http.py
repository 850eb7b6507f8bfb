"""Repositories of restic behind a real REST server and a real S3 server: saved to, observed, restored from, refused, and gone for a while in the midst of a run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from guardian_tui.engine.backups.engines import restic_place
from guardian_tui.engine.backups.engines.restic_words import complaint
from guardian_tui.engine.backups.records import Repository
from guardian_tui.engine.backups.work import Init, Restore
from guardian_tui.protocol.backups import RunRow
from tests.backups.house import HERE, House, house
from tests.support.rclone import Kind, Served
from tests.support.restic_key import make_cheap

PASSWORD = 'behind \' "$HOME" ; lock-3906'
WHO: dict[Kind, tuple[str, str]] = {
    "restic": ("ada", "rest-pass-4711"),
    "s3": ("AKIAADA", "s3-pass-0815"),
}
SECRET = ("rest-pass-4711", "s3-pass-0815", "lock-3906")
"""What must stand nowhere: of both keys all, of the password what no quoting changes."""


@dataclass
class Over:
    """Guardian, and a repository behind each of the servers."""

    home: House
    servers: dict[Kind, Served]
    repositories: dict[Kind, Repository]

    async def ended(self, kind: Kind, work: object) -> RunRow:
        """What came of a run on the repository itself."""
        async with self.home.store.write() as tx:
            run = await self.home.backups.runner.queue(
                tx, work, None, self.repositories[kind], HERE, "ada"  # type: ignore[arg-type]  # a work
            )  # fmt: skip
        return await self.home.ended(run.row.id)


def location(kind: Kind, server: Served, name: str = "web") -> str:
    if kind == "restic":
        return f"rest:http://127.0.0.1:{server.port}/{name}/"
    return f"s3:http://127.0.0.1:{server.port}/kept/{name}"


def secrets(kind: Kind) -> dict[str, str]:
    """restic 0.14 takes the name and password of a REST server from its address alone."""
    if kind == "restic":
        return {"RESTIC_PASSWORD": "secret:backups/p", "RESTIC_REPOSITORY": "secret:backups/rest"}
    return {
        "RESTIC_PASSWORD": "secret:backups/p",
        "AWS_ACCESS_KEY_ID": "secret:backups/id",
        "AWS_SECRET_ACCESS_KEY": "secret:backups/key",
    }


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, Served]]:
    with ExitStack() as stack:
        some: dict[Kind, Served] = {}
        for kind, who in WHO.items():
            some[kind] = Served(kind, tmp_path_factory.mktemp(kind) / "kept", who)
            some[kind].start()
            stack.callback(some[kind].stop)
        # a bucket is made by whoever owns the store
        (some["s3"].folder / "kept").mkdir()
        yield some


@pytest.fixture
async def over(tmp_path: Path, servers: dict[Kind, Served]) -> AsyncIterator[Over]:
    async with house(tmp_path) as home:
        (tmp_path / "data").mkdir()
        for number in range(20):
            (tmp_path / f"data/file-{number}").write_bytes(os.urandom(2000))
        rest = servers["restic"]
        home.secrets |= {
            "secret:backups/p": PASSWORD,
            "secret:backups/rest": location("restic", rest).replace("//", f"//{':'.join(rest.who)}@"),
            "secret:backups/id": servers["s3"].who[0],
            "secret:backups/key": servers["s3"].who[1],
        }
        await home.start()
        made = {}
        for kind, server in servers.items():
            made[kind] = await home.repository(
                kind, engine="restic", location=location(kind, server), secrets=secrets(kind)
            )
        one = Over(home, servers, made)
        for kind, server in servers.items():
            path = server.folder / ("web" if kind == "restic" else "kept/web")
            if path.exists():
                # making one is the dearest of all
                continue
            row = await one.ended(kind, Init())
            assert row.verdict == "ok", row
            make_cheap(path, PASSWORD)
        yield one


def anywhere(home: House) -> list[str]:
    """Where a secret is to be seen: in a list of processes, or in what lies on the disk of whoever runs it."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        found += [f"{process.pid}: {words}" for one in SECRET if one in words]
    for path in home.folder.rglob("*"):
        if path.is_file() and any(one.encode() in path.read_bytes() for one in SECRET):
            found.append(str(path))
    return found


async def test_a_repository_on_a_server_is_saved_to_observed_and_restored_from_and_tells_why_not(
    over: Over,
) -> None:
    home = over.home
    for kind, server in over.servers.items():
        repository = over.repositories[kind]
        job = await home.job(f"of-{kind}", kind, sources=(str(home.folder / "data"),), tries=1)
        row = await home.ended((await home.queue(job)).row.id)
        assert (row.verdict, row.files) == ("ok", 20), row
        judgement = await home.backups.observer.read(repository, home.backups.jobs.values())
        assert judgement.verdict == "ok" and repository.memory.snapshots == 1, judgement
        # what nobody can be asked about is weighed by the engine itself
        assert repository.memory.bytes and repository.memory.bytes > 40_000
        target = home.folder / f"back-{kind}"
        work = Restore(row.snapshot, (), str(target), 40_000)
        restored = await home.ended((await home.queue(job, work)).row.id)
        assert restored.verdict == "ok", restored
        for path in (home.folder / "data").iterdir():
            assert (target / str(path)[1:]).read_bytes() == path.read_bytes()

        async def refused(kind: Kind = kind, **secrets: str) -> tuple[str | None, str]:
            before = dict(home.secrets)
            home.secrets |= {f"secret:backups/{name}": value for name, value in secrets.items()}
            try:
                judgement = await home.backups.observer.read(over.repositories[kind], ())
            finally:
                home.secrets = before
            assert judgement.advice or judgement.verdict == "ok"
            return judgement.verdict, judgement.words

        assert (await refused(p="another"))[0] == "auth"
        address = location(kind, server)
        if kind == "restic":
            verdict, words = await refused(rest=address.replace("//", "//ada:guessed-9@"))
            assert verdict == "auth" and "401" in words and "guessed-9" not in words, words
            nowhere = home.secrets["secret:backups/rest"].replace("/web/", "/nowhere/")
            assert (await refused(rest=nowhere))[0] == "missing"
        else:
            assert (await refused(key="guessed"))[0] == "auth"
            assert (await refused(id="AKIAEVE"))[0] == "auth"
            spec = repository.spec
            repository.spec = type(spec)(
                **{name: getattr(spec, name) for name in spec.__struct_fields__ if name != "location"},
                location=location(kind, server, "nowhere"),
            )
            assert (await refused())[0] == "missing"
            repository.spec = spec
        assert (await refused())[0] == "ok"
    assert anywhere(home) == []


async def test_a_server_that_goes_away_in_the_midst_costs_time_and_nothing_else(over: Over) -> None:
    """One that stays away takes restic minutes to give up, most of them in its own S3 library; its words are told apart below."""
    home = over.home
    (home.folder / "data/large").write_bytes(os.urandom(10 << 20))

    async def run(kind: Kind) -> RunRow:
        server = over.servers[kind]
        job = await home.job(
            f"back-{kind}", kind, sources=(str(home.folder / "data"),), upload_kib=1024, tries=1
        )
        begun = await home.queue(job)

        async def writes() -> bool:
            live = home.backups.runner.runs[begun.row.id].row.progress
            return live is not None and live.bytes_done > 1 << 20

        await home.until(writes, "restic is at work")
        server.stop()
        # it is still at work, since it tries again
        assert anywhere(home) == []

        async def tries() -> bool:
            log = home.backups.runner.log_of(begun.row.id)
            return log is not None and any("retrying" in line for line in log[0] + log[1])

        if kind == "restic":
            await home.until(tries, "restic sees that it is gone")
        server.start()
        return await home.ended(begun.row.id, 120.0)

    for row in await asyncio.gather(run("restic"), run("s3")):
        assert row.verdict == "ok", row
        assert not [secret for secret in SECRET if secret in str(row)]


def test_what_each_server_needs_is_a_secret_of_restic() -> None:
    assert all(set(secrets(kind)) <= set(restic_place.SECRETS) for kind in WHO)


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("The AWS Access Key Id you provided does not exist in our records.", "auth"), ("Access Denied.", "auth"),
        ("The request signature we calculated does not match the signature you provided. Check your key and signing method.", "auth"),
        ("The provided token has expired.", "auth"), ("The difference between the request time and the current time is too large.", "auth"),
        ("The specified bucket does not exist", "missing"), ("Please reduce your request rate.", "network"),
        ("We encountered an internal error, please try again.", "network"),
        ("dial tcp 127.0.0.1:9000: connect: connection refused", "network"),
    ],
)  # fmt: skip
def test_what_an_s3_store_says_is_told_apart_though_restic_asks_whether_there_is_a_repository(
    said: str, trouble: str
) -> None:
    assert complaint(f"unable to open config file: Stat: {said} Is there a repository at the following location?") == trouble  # fmt: skip
