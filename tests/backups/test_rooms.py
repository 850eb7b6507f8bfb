"""What room a repository has: on a disk of its host, over real SFTP, and where nobody can tell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from guardian_tui.engine.backups import judge, rooms
from guardian_tui.engine.backups.observer import grown
from guardian_tui.engine.backups.records import Repository, RepositoryMemory
from guardian_tui.engine.backups.rooms import Room
from guardian_tui.protocol.backups import RepositorySpec
from tests.backups.house import House, house

DAY = 86400.0


def spec(location: str, engine: str = "restic", **options: str) -> RepositorySpec:
    return RepositorySpec(name="v", engine=engine, location=location, host="here", options=options)  # type: ignore[arg-type]  # one of them


@pytest.mark.parametrize(
    ("one", "command", "path"),
    [
        (spec("sftp:u@h:/srv/x"), "{ssh} u@h -s sftp", "/srv/x"),
        (spec("sftp:u@h:x"), "{ssh} u@h -s sftp", "x"),
        (spec("sftp://u@h:23//srv/x"), "{ssh} -p 23 u@h -s sftp", "/srv/x"),
        (spec("sftp://u@h/x"), "{ssh} u@h -s sftp", "x"),
        (spec("ssh://u@h:23/./x", "borg"), "{ssh} -p 23 u@h -s sftp", "x"),
        (spec("ssh://u@h/srv/x", "borg", rsh="ssh -i /k"), "ssh -i /k u@h -s sftp", "/srv/x"),
        (spec("u@h:/srv/x", "rsync"), "{ssh} u@h -s sftp", "/srv/x"),
        (spec("sftp:u@h:/x", **{"sftp.args": "-p 23"}), "{ssh} -p 23 u@h -s sftp", "/x"),
        (spec("sftp:u@h:/x", **{"sftp.command": "ssh far -s sftp"}), "ssh far -s sftp", "/x"),
    ],
)
def test_a_place_behind_ssh_is_asked_over_sftp(one: RepositorySpec, command: str, path: str) -> None:
    stage, why = rooms.asking(one)
    assert stage is not None and not why
    assert stage.argv[-2:] == (command.format(ssh=rooms.SSH), path)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (spec("s3:https://s3.example.org/b"), "a store like s3 tells nobody"),
        (spec("rest:http://h:8000/"), "a store like rest tells"),
        (spec("demo", "pgbackrest"), "own configuration"),
        (spec('sftp:h:/srv/"x'), "can't be asked about"),
    ],
)
def test_what_can_t_be_asked_says_why(one: RepositorySpec, words: str) -> None:
    stage, why = rooms.asking(one)
    assert stage is None and words in why


def test_only_figures_are_believed() -> None:
    local, far = spec("/srv/x"), spec("sftp:h:/x")
    assert rooms.room_of(local, b"5\n7\n") == Room(5 * 1024, 12 * 1024)
    assert rooms.room_of(local, b"5\n") == Room(5 * 1024, None)
    assert rooms.room_of(local, b"") is None and rooms.room_of(local, b"x\n7\n") is None
    told = (
        b"        Size         Used        Avail       (root)    %Capacity\n     100   30   60   70   30%\n"
    )
    assert rooms.room_of(far, told) == Room(30 * 1024, 90 * 1024, whole_disk=True)
    assert rooms.room_of(far, b"Couldn't statvfs") is None


def test_a_forecast_or_why_there_is_none() -> None:
    repository = Repository("r", spec("sftp:h:/x"), "screen", 0.0)
    memory = repository.memory

    def row() -> tuple[float | None, str]:
        one = judge.repository_row(repository, 1)
        return one.full_at, one.forecast

    assert row() == (None, "it was not weighed yet")
    grown(memory, 0.0, Room(100, 1000, whole_disk=True))
    assert row() == (None, "it wants sizes of 3 days, and has 1 so far")
    for day in (1, 2):
        grown(memory, day * DAY, Room(100, 1000, whole_disk=True))
    assert row() == (None, "it does not grow") and memory.bytes is None
    memory.sizes = [(day * DAY, 100 + day * 100) for day in range(3)]
    assert row() == (9 * DAY, "")
    grown(memory, 3 * DAY, Room(7, None))
    assert (memory.sizes, memory.bytes) == ([(3 * DAY, 7)], 7), "it moved to a disk of the host"
    assert "capacity_bytes" in row()[1]
    memory.unweighed = "a store like s3: tells nobody"
    assert row() == (None, "a store like s3: tells nobody")


@pytest.fixture
async def home(tmp_path: Path):  # type: ignore[no-untyped-def]  # a fixture
    async with house(tmp_path, "") as one:
        yield one


async def test_the_real_disk_and_the_real_sftp_tell(home: House, tmp_path: Path) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    (place / "x").write_bytes(b"x" * 200_000)
    server = "/usr/lib/openssh/sftp-server"
    for location, whole in ((str(place), False), (f"sftp:far:{place}", True)):
        one = Repository("r", spec(location, **{"sftp.command": server}), "screen", 0.0, RepositoryMemory())
        await home.backups.observer._weigh(one, 5.0)
        memory = one.memory
        assert (memory.unweighed, memory.whole_disk, len(memory.sizes)) == ("", whole, 1), memory
        assert memory.room and memory.room > memory.sizes[0][1] > 0
    gone = Repository("r", spec(f"sftp:far:{place}/none", **{"sftp.command": server}), "screen", 0.0)
    await home.backups.observer._weigh(gone, 5.0)
    assert gone.memory.unweighed.startswith("its place tells of no room") and not gone.memory.sizes
    shut = Repository("r", spec("sftp://nobody@127.0.0.1:1//x"), "screen", 0.0)
    await home.backups.observer._weigh(shut, 5.0)
    assert "Connection refused" in shut.memory.unweighed


async def test_what_it_may_hold_by_contract_is_held_against_what_its_engine_tells(
    home: House, tmp_path: Path
) -> None:
    place, server = tmp_path / "vault", "/usr/lib/openssh/sftp-server"
    # as the house resolves every reference
    secret, password = "secret:backups/v", "the secret behind secret:backups/v"
    (tmp_path / "data").write_bytes(os.urandom(1 << 20))
    for words in (("init",), ("backup", str(tmp_path / "data"))):
        subprocess.run(
            ["restic", "-r", str(place), *words], check=True, capture_output=True, env={**os.environ, "RESTIC_PASSWORD": password},
        )  # fmt: skip

    def far(**more: object) -> Repository:
        fields = {"secrets": {"RESTIC_PASSWORD": secret}, "capacity_bytes": 10 << 20, **more}
        found = msgspec.structs.replace(spec(f"sftp:far:{place}", **{"sftp.command": server}), **fields)
        return Repository("r", found, "screen", 0.0)

    one = far()
    # of the whole disk nothing counts any more
    grown(one.memory, 5.0, Room(7 << 40, 8 << 40, whole_disk=True))
    await home.backups.observer._weigh(one, 10.0)
    taken = one.memory.sizes[-1][1]
    assert (one.memory.unweighed, one.memory.whole_disk, len(one.memory.sizes)) == ("", False, 1)
    assert 1 << 20 <= taken < 2 << 20
    row = judge.repository_row(one, 1)
    assert (row.capacity_bytes, row.taken_bytes, row.whole_disk) == (10 << 20, taken, False)
    shut = far(secrets={"RESTIC_PASSWORD": "secret:backups/other"})
    await home.backups.observer._weigh(shut, 10.0)
    assert shut.memory.unweighed.startswith("restic does not tell what it takes (") and not shut.memory.sizes


def test_a_repository_that_grows_without_bounds_is_told_when_it_is_twice_as_large() -> None:
    one = Repository("r", spec("s3:https://s3.example.org/b"), "screen", 0.0)
    one.memory.sizes = [(day * DAY, 100 + day * 10) for day in range(3)]
    row = judge.repository_row(one, 1)
    assert (row.growth_bytes_per_day, row.taken_bytes, row.full_at) == (10.0, 120, None)
    assert row.doubles_at == 14 * DAY
    assert (
        row.forecast == "a store like s3 tells nobody how much room it has: say it yourself (capacity_bytes)"
    )
    # the less of what was said and of what its disk has
    for said, room, counts in ((500, 200, 200), (150, 200, 150), (0, 200, 200), (150, None, 150)):
        here = Repository(
            "r", msgspec.structs.replace(one.spec, location="/srv/x", capacity_bytes=said), "screen", 0.0
        )
        here.memory.sizes, here.memory.room = one.memory.sizes, room
        assert judge.repository_row(here, 1).capacity_bytes == counts
    one.memory.sizes = [(day * DAY, 100) for day in range(3)]
    assert judge.repository_row(one, 1).doubles_at is None


async def test_a_repository_that_is_full_soon_is_told_of_the_host_that_reads_it(home: House) -> None:
    repository = await home.repository("vault", capacity_bytes=1000)
    now = home.clock.now()
    series = judge.space_series("vault")

    def told(each_day: int) -> tuple[float | None, str]:
        repository.memory.sizes = [(now - (2 - day) * DAY, 500 + day * each_day) for day in range(3)]
        home.backups._show_repository(repository)
        home.waves.clear()
        home.backups.judge()
        found = [
            (sample.values[sample.layout.index[series]], (sample.words or {}).get(series, ""))
            for wave in home.waves
            for sample in wave.samples
            if series in sample.layout.index
        ]
        return found[-1] if found else (None, "")

    assert told(0) == (None, "")
    assert told(2)[0] == 0.0
    assert told(20) == (1.0, "if it grows on like this it is full in 23 days")
    assert told(100)[0] == 2.0
    assert told(0)[0] == 0.0, "and is well when it no longer grows"
