"""Archives that are cut, changed, foreign or of tomorrow, disks that are full, places that are taken: told, and nothing is half-done."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from guardian_tui.cli.main import main
from guardian_tui.config import AuditSettings, Paths, StoreSettings, paths_below
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.calls import Entry
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.own_state import archive, restore, snapshot
from guardian_tui.engine.own_state.archive import Manifest
from guardian_tui.engine.own_state.snapshot import Source, take
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.migrate import STATE, migrate
from guardian_tui.engine.store.sqlite import engine_of
from guardian_tui.engine.vault.sealing import KdfParameters
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, StoreUnavailable
from tests.support.disks import small_disk
from tests.support.postgres import Cluster

PASSPHRASE = "seven words that nobody else knows"
CHEAP = KdfParameters(memory_kib=64, passes=1, lanes=1)
NOW = 1_800_000_000.0


async def lived(paths: Paths, url: str = "", events: int = 5) -> None:
    """A state with some events in its audit log, its checkpoints beside it."""
    paths.config.mkdir(parents=True, exist_ok=True)
    store_lines = f'[store]\nurl = "{url}"\nreserve_bytes = 0\n' if url else "[store]\nreserve_bytes = 0\n"
    paths.settings_file.write_text(f"{store_lines}[audit]\nsyslog = false\n[ui]\nbell = false\n")
    clock = ManualClock(NOW)
    settings = snapshot_settings(url)
    store = await Store.open(settings, paths.state, clock)
    audit = AuditLog(store, Live(), clock, AuditSettings(syslog=False), paths.state, reserve_bytes=0)
    await audit.start()
    for number in range(events):
        await audit.record(Entry("ada", "test", f"event {number}", "ok"))
    await audit.stop()
    await store.close()


def snapshot_settings(url: str) -> StoreSettings:
    return StoreSettings(url=url, reserve_bytes=0)


def taken(paths: Paths, file: Path, url: str = "", **more: bool) -> Manifest:
    return take(Source(paths, snapshot_settings(url)), file, PASSPHRASE, NOW, parameters=CHEAP, **more)


@pytest.fixture
async def saved(tmp_path: Path) -> Path:
    """An archive of a small state."""
    await lived(paths_below(tmp_path / "old"))
    taken(paths_below(tmp_path / "old"), tmp_path / "state.tar")
    return tmp_path / "state.tar"


def untouched(folder: Path) -> bool:
    """Whether a restore left nothing in a folder."""
    return not folder.exists() or not list(folder.iterdir())


def rebuilt(file: Path, **changed: bytes | None) -> Path:
    """The same archive with other members (None: without them), as somebody who knows tar could make it."""
    other = file.with_name("rebuilt.tar")
    with tarfile.open(file) as old, tarfile.open(other, "w") as new:
        for member in old.getmembers():
            source = old.extractfile(member)
            assert source is not None
            data = changed.get(member.name, source.read())
            if data is None:
                continue
            info = tarfile.TarInfo(member.name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return other


def member(file: Path, name: str) -> bytes:
    with tarfile.open(file) as tar:
        source = tar.extractfile(name)
        assert source is not None
        return source.read()


# --- what an archive is -------------------------------------------------------------------------------


async def test_what_was_taken_is_what_comes_back(saved: Path, tmp_path: Path) -> None:
    done = await restore.restore(restore.verify(saved), PASSPHRASE, paths_below(tmp_path / "new"))
    assert done.verdict.ok, done.verdict
    assert done.verdict.events == 6
    assert done.manifest.head == 5
    new, old = paths_below(tmp_path / "new"), paths_below(tmp_path / "old")
    assert new.settings_file.read_text() == old.settings_file.read_text()
    for name in ("audit-mac.key", "audit-signing.key"):
        assert (new.state / "keys" / name).read_bytes() == (old.state / "keys" / name).read_bytes()
        assert (new.state / "keys" / name).stat().st_mode & 0o777 == 0o600
    assert new.state.stat().st_mode & 0o777 == 0o700
    assert (new.state / "state.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["config", "state"]


async def test_nothing_private_can_be_read_in_it(saved: Path, tmp_path: Path) -> None:
    held = saved.read_bytes()
    keys = paths_below(tmp_path / "old").state / "keys"
    for key in keys.iterdir():
        assert key.read_bytes() not in held
        assert key.read_bytes().hex().encode() not in held
    assert b"bell = false" not in held


async def test_samples_come_when_they_are_asked_for(tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    await lived(old)
    manifest = taken(old, tmp_path / "all.tar", with_metrics=True)
    assert manifest.metrics
    assert set(manifest.revisions) == {"state", "metrics"}
    await restore.restore(restore.verify(tmp_path / "all.tar"), PASSPHRASE, paths_below(tmp_path / "new"))
    assert (tmp_path / "new" / "state" / "metrics.db").exists()


async def test_checkpoints_that_were_made_after_the_copy_are_no_cut_history(tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    await lived(old)
    shutil.copytree(old.state, tmp_path / "earlier")
    await lived(old, events=3)
    newer = (old.state / "audit" / "checkpoints.jsonl").read_bytes()
    # the database of before, the file of now: as if both were read while the engine went on
    shutil.rmtree(old.state)
    shutil.copytree(tmp_path / "earlier", old.state)
    (old.state / "audit" / "checkpoints.jsonl").write_bytes(newer)
    taken(old, tmp_path / "state.tar")
    done = await restore.restore(
        restore.verify(tmp_path / "state.tar"), PASSPHRASE, paths_below(tmp_path / "new")
    )
    assert done.verdict.ok, done.verdict


async def test_a_history_that_was_forged_before_is_told_and_restored_all_the_same(tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    await lived(old)
    with sqlite3.connect(old.state / "state.db") as db:
        db.execute("UPDATE audit_events SET actor = 'bob' WHERE seq = 2")
    taken(old, tmp_path / "state.tar")
    done = await restore.restore(
        restore.verify(tmp_path / "state.tar"), PASSPHRASE, paths_below(tmp_path / "new")
    )
    assert not done.verdict.ok
    assert done.verdict.first_bad_seq == 2


async def test_an_older_state_is_brought_forward(tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    await lived(old)
    engine = engine_of(old.state / "state.db", "FULL")
    await migrate(engine, STATE, "s0006")
    await engine.dispose()
    manifest = taken(old, tmp_path / "state.tar")
    assert manifest.revisions == {"state": "s0006"}
    done = await restore.restore(
        restore.verify(tmp_path / "state.tar"), PASSPHRASE, paths_below(tmp_path / "new")
    )
    assert done.verdict.ok, done.verdict
    with sqlite3.connect(tmp_path / "new" / "state" / "state.db") as db:
        assert db.execute("SELECT count(*) FROM backup_jobs").fetchone() == (0,)


# --- what is no archive, or not any more --------------------------------------------------------------


@pytest.mark.parametrize("left", [0, 100, 600, 3000, 0.5, -1025, -20000])
async def test_one_that_is_cut_is_refused_wherever_it_ends(saved: Path, tmp_path: Path, left: float) -> None:
    data = saved.read_bytes()
    end = int(len(data) * left) if isinstance(left, float) else left
    # the padding of tar's end is no loss
    end = end if end >= 0 else len(data.rstrip(b"\0")) + end
    saved.write_bytes(data[:end])
    with pytest.raises(InvalidRequest, match=r"cut|damaged"):
        restore.verify(saved)


@pytest.mark.parametrize("at", [0.0001, 0.02, 0.3, 0.7, 0.97])
async def test_one_byte_that_differs_is_found(saved: Path, at: float) -> None:
    data = bytearray(saved.read_bytes().rstrip(b"\0"))
    data[int(len(data) * at)] ^= 0x55
    saved.write_bytes(bytes(data) + bytes(1024))
    with pytest.raises(InvalidRequest, match=r"damaged|no archive|cut"):
        restore.verify(saved)


async def test_a_part_that_was_exchanged_with_its_hash_opens_with_no_passphrase(saved: Path) -> None:
    manifest = json.loads(member(saved, "manifest.json"))
    seal = json.loads(member(saved, "seal.json"))
    forged = member(saved, archive.CHECKPOINTS) + b"{}\n"
    for part in manifest["parts"]:
        if part["name"] == archive.CHECKPOINTS:
            part.update(bytes=len(forged), sha256=hashlib.sha256(forged).hexdigest())
    text = json.dumps(manifest).encode()
    seal["manifest_sha256"] = hashlib.sha256(text).hexdigest()
    other = rebuilt(
        saved, **{"manifest.json": text, "seal.json": json.dumps(seal).encode(), archive.CHECKPOINTS: forged}
    )
    found = restore.verify(other)
    with pytest.raises(InvalidRequest, match="forged"):
        found.open(PASSPHRASE)


@pytest.mark.parametrize(
    "name", ["../../evil", "state/keys/audit-mac.key", "/etc/passwd", "config/themes/../../x.toml"]
)
async def test_a_name_that_leads_elsewhere_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    manifest, seal = json.loads(member(saved, "manifest.json")), json.loads(member(saved, "seal.json"))
    manifest["parts"][0]["name"] = name
    text = json.dumps(manifest).encode()
    seal["manifest_sha256"] = hashlib.sha256(text).hexdigest()
    other = rebuilt(saved, **{"manifest.json": text, "seal.json": json.dumps(seal).encode()})
    with pytest.raises(InvalidRequest, match="not ours"):
        restore.verify(other)


async def test_one_that_asks_for_all_memory_to_be_opened_is_refused(saved: Path) -> None:
    seal = json.loads(member(saved, "seal.json"))
    seal["kdf"]["memory_kib"] = 1 << 30
    found = restore.verify(rebuilt(saved, **{"seal.json": json.dumps(seal).encode()}))
    with pytest.raises(InvalidRequest, match="forged"):
        found.open(PASSPHRASE)


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"revisions": {"state": "s9999"}}, {"revisions": {"another": "x1"}}], ids=str
)
async def test_one_of_a_newer_program_says_so(saved: Path, change: dict[str, object]) -> None:
    manifest, seal = json.loads(member(saved, "manifest.json")), json.loads(member(saved, "seal.json"))
    text = json.dumps({**manifest, **change}).encode()
    seal["manifest_sha256"] = hashlib.sha256(text).hexdigest()
    with pytest.raises(InvalidRequest, match="newer program"):
        restore.verify(rebuilt(saved, **{"manifest.json": text, "seal.json": json.dumps(seal).encode()}))


async def test_a_database_that_was_damaged_before_is_not_taken(tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    await lived(old, events=200)
    file = old.state / "state.db"
    data = bytearray(file.read_bytes())
    for page in range(8, len(data) // 4096, 3):
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    file.write_bytes(data)
    with pytest.raises(StoreUnavailable, match="damaged"):
        taken(old, tmp_path / "state.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


async def test_keys_that_the_engine_alone_has_are_not_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = paths_below(tmp_path / "old")
    await lived(old)
    given = tmp_path / "given"
    given.mkdir()
    for name in ("audit-mac", "audit-signing"):
        (old.state / "keys" / f"{name}.key").rename(given / name)
    with pytest.raises(StoreUnavailable, match="systemd credentials"):
        taken(old, tmp_path / "state.tar")
    assert list((old.state / "keys").iterdir()) == []
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    taken(old, tmp_path / "state.tar")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    done = await restore.restore(
        restore.verify(tmp_path / "state.tar"), PASSPHRASE, paths_below(tmp_path / "new")
    )
    assert done.verdict.ok, done.verdict


def test_where_nothing_is_there_is_nothing_to_take(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no state"):
        taken(paths_below(tmp_path / "none"), tmp_path / "state.tar")
    with pytest.raises(InvalidRequest, match="at least 12"):
        take(Source(paths_below(tmp_path), StoreSettings()), tmp_path / "state.tar", "short", NOW)


# --- places -------------------------------------------------------------------------------------------


async def test_a_state_that_is_there_is_kept_or_moved_aside(saved: Path, tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    found = restore.verify(saved)
    with pytest.raises(Conflict, match="--force"):
        await restore.restore(found, PASSPHRASE, old)
    before = (old.state / "state.db").read_bytes()
    done = await restore.restore(found, PASSPHRASE, old, force=True)
    assert done.verdict.ok
    aside = next(path for path in done.aside if path.name.startswith("state-before-"))
    assert (aside / "state.db").read_bytes() == before


async def test_an_engine_that_works_there_is_not_pushed_aside(saved: Path, tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    store = await Store.open(snapshot_settings(""), old.state, ManualClock(NOW))
    try:
        with pytest.raises(Conflict, match="engine stop"):
            await restore.restore(restore.verify(saved), PASSPHRASE, old, force=True)
    finally:
        await store.close()
    assert sorted(path.name for path in (tmp_path / "old").iterdir()) == ["config", "state"]


async def test_a_folder_that_cannot_be_renamed_leaves_all_as_it_was(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = paths_below(tmp_path / "old")
    before = {path: path.read_bytes() for path in (old.state / "state.db", old.settings_file)}
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name.startswith(".state-restoring-"):
            raise OSError(16, "Device or resource busy", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="busy"):
        await restore.restore(restore.verify(saved), PASSPHRASE, old, force=True)
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(path.name for path in (tmp_path / "old").iterdir()) == ["config", "state"]


async def test_a_full_disk_leaves_nothing_behind(saved: Path, tmp_path: Path) -> None:
    old = paths_below(tmp_path / "old")
    with small_disk(tmp_path / "small", 1) as disk:
        with sqlite3.connect(old.state / "state.db") as db:
            db.execute("CREATE TABLE large AS SELECT zeroblob(3000000)")
        with pytest.raises(OSError, match=r"[Nn]o space"):
            taken(old, disk / "state.tar")
        assert list(disk.iterdir()) == []
        with pytest.raises(OSError, match="MiB are needed"):
            await restore.restore(restore.verify(saved), PASSPHRASE, paths_below(disk / "new"))
        assert untouched(disk / "new")


# --- PostgreSQL ---------------------------------------------------------------------------------------


async def test_postgresql_comes_back_in_an_empty_database_only(tmp_path: Path, postgres: Cluster) -> None:
    old, new = paths_below(tmp_path / "old"), paths_below(tmp_path / "new")
    url = postgres.database()
    await lived(old, url)
    manifest = taken(old, tmp_path / "state.tar", url)
    assert (manifest.store, manifest.head, set(manifest.revisions)) == ("postgresql", 5, {"state", "metrics"})
    found = restore.verify(tmp_path / "state.tar")
    with pytest.raises(Conflict, match="not empty"):
        await restore.restore(found, PASSPHRASE, new)
    assert untouched(tmp_path / "new")
    other = postgres.database()
    done = await restore.restore(found, PASSPHRASE, new, url=other)
    assert done.verdict.ok, done.verdict
    assert f'url = "{other}"' in new.settings_file.read_text()
    assert "bell = false" in new.settings_file.read_text()
    assert not (new.state / "store.dump").exists()


async def test_a_restore_that_fails_leaves_the_database_empty(
    tmp_path: Path, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, url, other = paths_below(tmp_path / "old"), postgres.database(), postgres.database()
    await lived(old, url)
    taken(old, tmp_path / "state.tar", url)
    found = restore.verify(tmp_path / "state.tar")

    def full(moves: object, now: float) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(restore, "_into_place", full)
        with pytest.raises(OSError, match="No space"):
            await restore.restore(found, PASSPHRASE, paths_below(tmp_path / "new"), url=other)
    assert untouched(tmp_path / "new")
    # so it can be tried again
    done = await restore.restore(found, PASSPHRASE, paths_below(tmp_path / "new"), url=other)
    assert done.verdict.ok


async def test_stores_of_two_kinds_are_not_taken_for_each_other(
    saved: Path, tmp_path: Path, postgres_url: str
) -> None:
    with pytest.raises(InvalidRequest, match="SQLite"):
        await restore.restore(
            restore.verify(saved), PASSPHRASE, paths_below(tmp_path / "new"), url=postgres_url
        )
    assert untouched(tmp_path / "new")
    with pytest.raises(StoreUnavailable, match="can't be read"):
        taken(paths_below(tmp_path / "old"), tmp_path / "x.tar", "postgresql://nobody@/none?host=/nowhere")


# --- settings, and words ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '[store]\nurl = "postgresql://x"\n'),
        ("[ui]\nbell = true", '[ui]\nbell = true\n\n[store]\nurl = "postgresql://x"\n'),
        ("[store] # here\n  url = 'env:OLD' # old\nraw_days = 3\n[ui]\n", '[store] # here\nurl = "postgresql://x" # old\nraw_days = 3\n[ui]\n'),
        ("[store]\nraw_days = 3\n", '[store]\nurl = "postgresql://x"\nraw_days = 3\n'),
    ],
)  # fmt: skip
def test_the_place_of_the_store_is_changed_in_the_settings_and_nothing_else(text: str, expected: str) -> None:
    assert restore._with_url(text, "postgresql://x").replace("\n\nurl", "\nurl") == expected


def test_the_command_says_what_is_wrong_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path / "h"))
    run = (
        CliRunner(mix_stderr=False)
        if "mix_stderr" in CliRunner.__init__.__code__.co_varnames
        else CliRunner()
    )
    asyncio.run(lived(paths_below(tmp_path / "h")))
    file = tmp_path / "state.tar"
    short = run.invoke(main, ["state", "export", str(file)], input="short\nshort\n")
    assert short.exit_code == 1
    assert "at least 12" in short.stderr
    done = run.invoke(
        main, ["state", "export", str(file), "--metrics"], input=f"{PASSPHRASE}\n{PASSPHRASE}\n"
    )
    assert done.exit_code == 0, done
    assert "with samples" in done.stdout
    again = run.invoke(main, ["state", "export", str(file)], input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert again.exit_code == 1
    assert "--force" in again.stderr
    wrong = run.invoke(main, ["state", "verify", str(file), "--passphrase"], input="not this one at all\n")
    assert wrong.exit_code == 1
    assert "does not open" in wrong.stderr
    none = run.invoke(main, ["state", "verify", str(tmp_path / "none")])
    assert none.exit_code == 1
    assert "No such file" in none.stderr
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"PK\x03\x04" + bytes(5000))
    said = run.invoke(main, ["state", "verify", str(foreign)])
    assert said.exit_code == 1
    assert "no archive" in said.stderr
    forced = run.invoke(main, ["state", "restore", str(file), "--force"], input=f"{PASSPHRASE}\n")
    assert forced.exit_code == 0, forced
    assert "What was there is now" in forced.stdout
    assert "log in with name, password and authenticator" in forced.stdout


def test_a_copy_says_when_its_source_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnavailable, match="damaged"):
        snapshot.copy_sqlite(tmp_path / "state.db", tmp_path / "copy.db")
