"""Backups that are database dumps in a folder: one file a dump and run, its SHA-256 beside it.

``JOB-RUN-NAME`` is the dump and ``JOB-RUN-NAME.sha256`` says what it is; ``sha256sum -c`` understands it without us.  The second file is written last,
after the dump program ended well and the dump was read through: only what has it is a backup.  A run is a snapshot, its id the run's.

Everything happens on the host by short constant scripts for ``sh`` (:mod:`.dumps_scripts`), which take values as arguments alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guardian_tui.engine.backups.dumping import dump_command, dump_name, verify_command
from guardian_tui.engine.backups.engines import dumps_scripts as scripts
from guardian_tui.engine.backups.engines.base import (
    Capabilities,
    Event,
    FileEntry,
    Judgement,
    Place,
    RestoreOrder,
    Stage,
    StageEnd,
    Stream,
    Summary,
    Warned,
)
from guardian_tui.engine.backups.engines.dumps_verdict import CUT, LASTING, LOCKED, judged
from guardian_tui.protocol.backups import (
    BackupEngine,
    CheckLevel,
    JobSpec,
    Operation,
    RepositorySpec,
    Retention,
    Snapshot,
)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")
_SIZE = re.compile(rb"size (\d{1,18}) \./([A-Za-z0-9][A-Za-z0-9._-]{0,254})\Z")
_ABOUT = re.compile(rb"\./([A-Za-z0-9][A-Za-z0-9._-]{0,247})\.sha256:# guardian-dump ([ -~]{1,1000})\Z")
_HASH = re.compile(rb"hash ([0-9a-f]{64}) \./([A-Za-z0-9][A-Za-z0-9._-]{0,247})\.sha256\Z")
_ANY_CODE = tuple(range(256))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A dump of the folder, as the file beside it describes it."""

    file: str
    run: str
    job: str
    name: str
    host: str
    began: float
    size: int
    of: int
    """How many dumps its run should have."""
    there: int | None
    """Bytes of the file that is there; None: it is gone."""
    sha256: str = ""


class Dumps:
    """A folder of dumps."""

    name: BackupEngine = "dumps"
    secrets: tuple[str, ...] = ()
    locked, cut, lasting = LOCKED, CUT, LASTING

    def probe(self) -> tuple[str, ...]:
        """Whether the host has what the scripts need."""
        return ("sh", "-c", scripts.PROBE)

    def capabilities(self, exit_code: int | None, out: str) -> Capabilities:
        """What :meth:`probe` said."""
        if exit_code == 0 and out.strip() == "dumps 1":
            return Capabilities((1,), "a folder of dumps")
        missing = out.strip()[:200]
        return Capabilities((), f"The host lacks {missing}." if missing else "The host has no usable shell.")

    def problem(self, spec: RepositorySpec) -> str:
        """Why a repository can't be used as it is given."""
        try:
            _folder(spec)
        except ValueError as error:
            return str(error)
        return f"A folder of dumps has no option {min(spec.options)!r}." if spec.options else ""

    def init(self, place: Place) -> tuple[Stage, ...]:
        """Make the folder; one that is there stays as it is."""
        return (_sh("init", scripts.INIT, _folder(place.spec)),)

    def backup(self, place: Place, job: JobSpec, run_id: str) -> tuple[Stage, ...]:
        """Dump, verify, keep: each dump by itself, so that a server that is down costs the others nothing.

        Raises:
            ValueError: the job asks for what a folder of dumps can't keep.
        """
        folder = _folder(place.spec)
        if not _ID.match(run_id):
            raise ValueError(f"A run can't be called {run_id!r}.")
        if job.sources:
            raise ValueError(
                "A folder of dumps keeps no files: give the job's sources a repository of restic or Borg."
            )
        if not job.dumps:
            raise ValueError("The job names no database to dump.")
        names = [dump_name(dump) for dump in job.dumps]
        if len(set(names)) < len(names):
            raise ValueError("The job names the same database twice.")
        stages = []
        for dump, name in zip(job.dumps, names, strict=True):
            stem = f"{job.name}-{run_id}-{name}"
            if len(stem) > 240:
                raise ValueError(f"The name of the dump's file would be too long: {stem[:80]}…")
            about = f"of={len(names)} job={job.name} run={run_id} name={name}"
            stages += [
                _sh(f"dump: {name}", scripts.DUMP, folder, stem, *dump_command(dump, packed=True), codes=_ANY_CODE),
                _sh(f"verify: {name}", scripts.KEEP, folder, stem, about, name, *verify_command(dump), codes=_ANY_CODE),
            ]  # fmt: skip
        return (*stages, _sh("kept", scripts.TOTAL, folder, run_id))

    def list(self, place: Place) -> tuple[Stage, ...]:
        """Tell all dumps."""
        return (_sh("list", scripts.LIST, _folder(place.spec), ""),)

    def snapshots(self, place: Place, out: bytes) -> Sequence[Snapshot]:
        """The runs whose dumps are in the folder."""
        runs: dict[str, list[_Kept]] = {}
        for kept in _read(out)[1]:
            runs.setdefault(kept.run, []).append(kept)
        found = (_snapshot(place.spec.name, run, dumps) for run, dumps in runs.items())
        return sorted(found, key=lambda snapshot: (snapshot.at, snapshot.id))

    def weigh(self, place: Place) -> tuple[Stage, ...]:
        """Nothing: it is a folder, and its place tells."""
        return ()

    def files(self, place: Place, snapshot: str, folder: str) -> tuple[Stage, ...]:
        """Tell the dumps of a run; they lie in no folder."""
        _known(snapshot)
        return (_sh("files", scripts.LIST, _folder(place.spec), f"{snapshot} {folder.strip('/')}"),)

    def entries(self, out: bytes) -> Sequence[FileEntry]:
        """The dumps of the run that was asked for."""
        asked, dumps = _read(out)
        run, _, folder = asked.partition(" ")
        return [
            FileEntry(f"/{kept.name}", "file", kept.there or 0, kept.began, 0o600, sha256=kept.sha256)
            for kept in sorted(dumps, key=lambda kept: kept.name)
            if kept.run == run and not folder
        ]

    def check(self, place: Place, level: CheckLevel, part: tuple[int, int]) -> tuple[Stage, ...]:
        """Hold the files against what is beside them: their sizes, the hashes of a share, or all hashes and what is in them."""
        number, shares = part
        if not 1 <= number <= shares:
            raise ValueError(f"There is no part {number} of {shares}.")
        return (_sh("check", scripts.CHECK, _folder(place.spec), level, str(number - 1), str(shares), *_verifiers()),)  # fmt: skip

    def restore(self, place: Place, order: RestoreOrder) -> tuple[Stage, ...]:
        """Copy the dumps of a run into a folder, and hold each copy's hash against the kept one."""
        _known(order.snapshot)
        if not order.target.startswith("/") or not order.target.strip("/"):
            raise ValueError("Dumps are restored into a folder, which is named by its whole path: from there a database reads them.")  # fmt: skip
        wanted = [path.strip("/") for path in order.includes]
        if not all(_NAME.match(name) for name in wanted):
            raise ValueError("A dump is named as the snapshot lists it.")
        return (_sh("restore", scripts.RESTORE, _folder(place.spec), order.snapshot, order.target, *wanted),)

    def copy(self, place: Place, other: Place, snapshots: Sequence[str]) -> tuple[Stage, ...]:
        """Copy runs into another folder of the same host, hashes held against the kept ones."""
        for snapshot in snapshots:
            _known(snapshot)
        if not snapshots:
            return ()
        return (_sh("copy", scripts.COPY, _folder(place.spec), _folder(other.spec), *snapshots),)

    def retain(self, place: Place, job: JobSpec, keep: Retention, *, dry: bool) -> tuple[Stage, ...]:
        """Forget the job's runs that the policy does not keep; it is decided where the files are, from what is there at that moment."""
        kept = ",".join(map(str, (keep.last, keep.hourly, keep.daily, keep.weekly, keep.monthly, keep.yearly)))  # fmt: skip
        how = "dry" if dry else "really"
        return (_sh("retain", scripts.RETAIN, _folder(place.spec), job.name, kept, how),)

    def doomed(self, out: bytes) -> Sequence[str]:
        """Runs that a dry :meth:`retain` would forget."""
        lines = out.decode("ascii", "replace").split("\n")
        return [run for line in lines if line.startswith("forget ") and _ID.match(run := line[7:])]

    def copy_secrets(self, spec: RepositorySpec, other: RepositorySpec) -> Mapping[str, str]:
        """None: a folder has no secrets."""
        return {}

    def unlock(self, place: Place) -> tuple[Stage, ...]:
        """Nothing: a lock is held by a living process alone."""
        return ()

    def parse(self, operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
        """What a line says: the scripts' own words, and nothing else."""
        if stream != "out" or stage.startswith(("before", "after")):
            return None
        match line.decode("ascii", "replace").split(" "):
            case ["kept", name, size] if size.isdigit():
                return Summary(bytes=int(size[:18]), words=name)
            case ["run", run, files, size] if files.isdigit() and size.isdigit():
                return Summary(snapshot=run, files=int(files[:9]), bytes=int(size[:18]), words="run")
            case ["total", files, errors, size] if files.isdigit() and errors.isdigit() and size.isdigit():
                return Summary(
                    files=int(files[:9]), bytes=int(size[:18]), errors=int(errors[:9]), words="total"
                )
            case ["bad", name, *words]:
                return Warned(f"{name}: {' '.join(words)}")
        return None

    def verdict(
        self, operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
    ) -> Judgement:
        """What came of it."""
        return judged(operation, job, ends, events)


def reading(place: Place, snapshot: str, path: str) -> Stage:
    """Write a dump of a run to standard output."""
    _known(snapshot)
    return _sh("carry", scripts.READ, _folder(place.spec), snapshot, path.strip("/"))


def _sh(stage: str, script: str, *values: str, codes: tuple[int, ...] = (0,)) -> Stage:
    argv = ("sh", "-c", script, "guardian-dumps", *values)
    # programs complain in words that are known
    return Stage(stage, argv, env={"LC_ALL": "C"}, exit_codes=codes)


def _verifiers() -> Iterator[str]:
    """The constant scripts by which dumps are read through, for those that are found in the folder."""
    from guardian_tui.protocol.backups import Dump

    for dump in (Dump("sqlite", "/x"), Dump("mysql", "x"), Dump("postgresql", "*")):
        argv = verify_command(dump)
        yield from (argv[2], argv[4])


def _folder(spec: RepositorySpec) -> str:
    if not spec.location.startswith("/"):
        raise ValueError(f"A folder of dumps is named by its whole path, not {spec.location!r}.")
    return spec.location.rstrip("/") or "/"


def _known(snapshot: str) -> None:
    if not _ID.match(snapshot):
        raise ValueError(f"No snapshot can be called {snapshot!r}.")


def _read(out: bytes) -> tuple[str, list[_Kept]]:
    """What the list's script told: what was asked for, and the dumps."""
    lines = out.split(b"\n")
    if not lines[0].startswith(b"dumps 1 ") or b"end" not in lines[-3:]:
        raise ValueError("the list of the dumps is not whole")
    sizes: dict[str, int] = {}
    hashes: dict[str, str] = {}
    about: dict[str, Mapping[str, str]] = {}
    for line in lines:
        if sized := _SIZE.match(line):
            sizes[sized[2].decode()] = int(sized[1])
        elif hashed := _HASH.match(line):
            hashes[hashed[2].decode()] = hashed[1].decode()
        elif told := _ABOUT.match(line):
            fields = (field.partition("=") for field in told[2].decode().split(" "))
            about[told[1].decode()] = {name: value for name, _, value in fields}
    dumps = (_kept(file, fields, sizes.get(file), hashes.get(file, "")) for file, fields in about.items())
    return lines[0][8:].decode("ascii", "replace").strip(), [kept for kept in dumps if kept is not None]


def _kept(file: str, fields: Mapping[str, str], there: int | None, sha256: str) -> _Kept | None:
    run, name = fields.get("run", ""), fields.get("name", "")
    numbers = [fields.get(key, "") for key in ("began", "size", "of")]
    if not _ID.match(run) or not _NAME.match(name):
        return None
    if not all(number.isascii() and number.isdigit() and len(number) < 16 for number in numbers):
        return None
    began, size, of = map(int, numbers)
    return _Kept(file, run, fields.get("job", ""), name, fields.get("host", ""), float(began), size, of, there, sha256)  # fmt: skip


def _snapshot(repository: str, run: str, dumps: Sequence[_Kept]) -> Snapshot:
    wrong = [kept.name for kept in dumps if kept.there != kept.size]
    absent = max(kept.of for kept in dumps) - len(dumps)
    why = f"{', '.join(wrong)} is gone or has another size" if wrong else ""
    if absent > 0:
        why = "; ".join(filter(None, (why, f"{absent} of its dumps failed")))
    return Snapshot(
        id=run, repository=repository, at=min(kept.began for kept in dumps), host=dumps[0].host, job=dumps[0].job,
        paths=tuple(sorted(f"/{kept.name}" for kept in dumps)), files=len(dumps), bytes=sum(kept.size for kept in dumps),
        good=not why, why=why,
    )  # fmt: skip
