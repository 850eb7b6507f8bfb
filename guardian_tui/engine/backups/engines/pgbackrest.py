"""pgBackRest: base backups of a PostgreSQL cluster and the write-ahead log between them, so that any moment in its window can be restored.

The location is the stanza; everything else stands in pgBackRest's own configuration, which backups by hand or by cron use as well.  A backup is a
snapshot, its id the label.  Seen with 2.45: ``info`` and ``verify`` end with 0 whatever they find, and ``verify`` says nothing of a segment of the log
that is missing; so their output is read, and the segments are counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from guardian_tui.engine.backups import point_in_time
from guardian_tui.engine.backups.becoming import as_user
from guardian_tui.engine.backups.engines import pgbackrest_info as info
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
from guardian_tui.engine.backups.engines.pgbackrest_verdict import CUT, LASTING, LOCKED, judged
from guardian_tui.protocol.backups import (
    BackupEngine,
    CheckLevel,
    JobSpec,
    Operation,
    Progress,
    RepositorySpec,
    Retention,
    Snapshot,
)

_LABEL = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?\Z", re.ASCII)
_STANZA = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_VERSION = re.compile(r"pgBackRest (\d{1,6})\.(\d{1,6})", re.ASCII)
_AT = re.compile(r"P\d+ DETAIL: (?:backup|restore) file (.{1,4096}) \([^()]*, (\d{1,3}(?:\.\d{1,2})?%)\)", re.ASCII)  # fmt: skip
_NEW = re.compile(r"P\d+ +INFO: new backup label = (\S{1,60})", re.ASCII)
_RESTORED = re.compile(r"P\d+ +INFO: restore size = .{1,30}, file total = (\d{1,15})", re.ASCII)
_EXPIRED = re.compile(
    r"P\d+ +INFO: (?:\[DRY-RUN\] )?(?:repo\d+: )?remove expired backup (\S{1,60})", re.ASCII
)
_BAD_BACKUP = re.compile(r"\s*backup: (\S{1,60}), status: (invalid|manifest missing|unknown)", re.ASCII)
_ANNOTATES = (2, 41)

_OPTIONS = frozenset(("config", "user", "repo", "type", "full_days", "socket", "host", "port", "role"))
FULL_DAYS = 7
"""A full backup is made when the newest one is so old; the others are those of the option ``type``."""

# $1 days between full backups, $2 the type of the others, $3 options of the backup, one a line, then pgBackRest
_BACKUP = """
days=$1 type=$2 more=$3
shift 3
if [ "$days" != 0 ]; then
    newest=$("$@" info --output=json 2>/dev/null | grep -o '"label":"[0-9]\\{8\\}-[0-9]\\{6\\}F"' | tail -n 1)
    newest=${newest#*:?}
    newest=${newest%%-*}
    since=$(date -d "@$(($(date +%s) - days * 86400))" +%Y%m%d)
    if [ -z "$newest" ] || [ "$newest" -le "$since" ]; then type=full; fi
fi
set -f
IFS='
'
exec "$@" $more "--type=$type" backup
"""


class Pgbackrest:
    """One stanza of pgBackRest."""

    name: BackupEngine = "pgbackrest"
    locked, cut, lasting = LOCKED, CUT, LASTING
    secrets: tuple[str, ...] = (
        "PGBACKREST_REPO1_CIPHER_PASS",
        "PGBACKREST_REPO1_S3_KEY",
        "PGBACKREST_REPO1_S3_KEY_SECRET",
        "PGBACKREST_REPO1_AZURE_KEY",
    )

    def probe(self) -> tuple[str, ...]:
        """Command that tells the version."""
        return ("pgbackrest", "version")

    def capabilities(self, exit_code: int | None, out: str) -> Capabilities:
        """What :meth:`probe` said."""
        found = _VERSION.search(out) if exit_code == 0 else None
        if found is None:
            return Capabilities((), "pgBackRest is not installed on the host (Debian: pgbackrest).")
        return Capabilities((int(found[1]), int(found[2])), out.strip()[:100])

    def problem(self, spec: RepositorySpec) -> str:
        """Why a repository can't be used as it is given."""
        try:
            _pgbackrest(spec)
            _repo(spec)
            _type(spec)
            as_user(spec.options.get("user", ""), ())
            point_in_time.archiver(server_of(spec))
        except ValueError as error:
            return str(error)
        return ""

    def init(self, place: Place) -> tuple[Stage, ...]:
        """Make the stanza, and see that the log gets into its archive."""
        return (
            _stage("stanza-create", place.spec, "stanza-create"),
            _stage("check", place.spec, "check"),
        )

    def backup(self, place: Place, job: JobSpec, run_id: str) -> tuple[Stage, ...]:
        """A full backup where the newest is old enough, else one of what changed; then what the repository says of it.

        Raises:
            ValueError: the job asks for what pgBackRest does not do.
        """
        if job.sources or job.dumps:
            raise ValueError("pgBackRest saves the cluster that its stanza names: the job may have neither sources nor dumps.")  # fmt: skip
        if not _ID.match(run_id):
            raise ValueError(f"A run can't be called {run_id!r}.")
        days, kind = _type(place.spec)
        more = ["--log-level-console=detail"]
        if place.capabilities.version >= _ANNOTATES:
            more += [f"--annotation=guardian-job={job.name}", f"--annotation=guardian-run={run_id}"]
        if _fulls(job.keep):
            more.append("--no-expire-auto")  # nothing is forgotten that nobody saw in a dry run
        script = ("sh", "-c", _BACKUP, "guardian-pgbackrest", days, kind, "\n".join(more))
        argv = (*script, *_pgbackrest(place.spec))
        return (Stage("backup", as_user(place.spec.options.get("user", ""), argv)), info.stage("told", place.spec, _pgbackrest(place.spec)))  # fmt: skip

    def list(self, place: Place) -> tuple[Stage, ...]:
        """Tell all backups."""
        return (info.stage("info", place.spec, _pgbackrest(place.spec)),)

    def snapshots(self, place: Place, out: bytes) -> Sequence[Snapshot]:
        """The backups of the stanza."""
        return info.snapshots(place.spec.name, out)

    def weigh(self, place: Place) -> tuple[Stage, ...]:
        """Tell what backups and archive of the stanza take."""
        return (info.weight(place.spec, _pgbackrest(place.spec)),)

    def files(self, place: Place, snapshot: str, folder: str) -> tuple[Stage, ...]:
        """Tell the databases of a backup: files of a cluster mean nothing by themselves."""
        _known(snapshot)
        return (_stage("files", place.spec, "info", "--output=json", f"--set={snapshot}"),)

    def entries(self, out: bytes) -> Sequence[FileEntry]:
        """The databases."""
        return info.databases(out)

    def check(self, place: Place, level: CheckLevel, part: tuple[int, int]) -> tuple[Stage, ...]:
        """Whether backups and the archive work, and that no segment of the log is missing; beyond the structure all files are read, it knows no share."""
        argv = _pgbackrest(place.spec)
        stages = (info.stage("info", place.spec, argv), _stage("check", place.spec, "check"), info.gaps(place.spec, argv))  # fmt: skip
        return stages if level == "structure" else (*stages, _stage("verify", place.spec, "verify"))

    def restore(self, place: Place, order: RestoreOrder) -> tuple[Stage, ...]:
        """The cluster as it was when the backup ended, into a data folder; its server may not run.

        Raises:
            ValueError: a part of it is wanted, or the target is no folder of its own.
        """
        _known(order.snapshot)
        if order.includes:
            raise ValueError("pgBackRest restores a cluster as a whole: take the tables that you want from the restored one.")  # fmt: skip
        # without an end, recovery would go on to the newest log and that would be another state
        how = (f"--set={order.snapshot}", "--type=immediate", "--target-action=promote", "--archive-mode=off")
        return (_restore(place, order.target, *how),)

    def restore_to(self, place: Place, order: point_in_time.Order) -> tuple[Stage, ...]:
        """The cluster as it was at a moment, into a new data folder: the middle of a :mod:`.point_in_time` restore."""
        until = (
            ("--type=default",) if order.to_end
            else ("--type=time", f"--target={order.target.words}", f"--target-action={order.target.action}")
        )  # fmt: skip
        return (
            _restore(
                place, order.data, *until, "--archive-mode=off", f"--tablespace-map-all={order.tablespaces}"
            ),
        )

    def window(self, place: Place) -> tuple[Stage, ...]:
        """Tell from when until when every moment can be restored; asks repository and server."""
        argv = _pgbackrest(place.spec)
        return (info.stage("info", place.spec, argv), info.gaps(place.spec, argv), point_in_time.archiver(server_of(place.spec)))  # fmt: skip

    def window_of(self, out: bytes, seen: float | None = None, silent: str = "") -> point_in_time.Window:
        """What :meth:`window` told; where the server is ``silent``, up to when its archive was ``seen`` to reach.

        Raises:
            ValueError: it can't be read.
        """
        return info.window(out, seen, silent)

    def retain(self, place: Place, job: JobSpec, keep: Retention, *, dry: bool) -> tuple[Stage, ...]:
        """Expire what is beyond the full backups that are kept, with the log that only they need.

        Raises:
            ValueError: the policy counts in a way that pgBackRest does not.
        """
        fulls, repo = _fulls(keep), _repo(place.spec)
        kept = (f"--repo{repo}-retention-full-type=count", f"--repo{repo}-retention-full={fulls}") if fulls else ()  # fmt: skip
        return (_stage("expire", place.spec, *kept, *(("--dry-run",) if dry else ()), "expire"),)

    def doomed(self, out: bytes) -> Sequence[str]:
        """Backups that a dry :meth:`retain` would expire."""
        lines = out.decode("utf-8", "replace").splitlines()
        return [found[1] for line in lines if (found := _EXPIRED.match(line)) and _LABEL.match(found[1])]

    def copy(self, place: Place, other: Place, snapshots: Sequence[str]) -> tuple[Stage, ...]:
        """Nothing: a second repository stands in pgBackRest's configuration, and the archive goes to both."""
        return ()

    def copy_secrets(self, spec: RepositorySpec, other: RepositorySpec) -> Mapping[str, str]:
        """None: its own configuration holds them."""
        return {}

    def unlock(self, place: Place) -> tuple[Stage, ...]:
        """Nothing: a lock is held by a living process alone."""
        return ()

    def parse(self, operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
        """What a line says."""
        if stage in point_in_time.STAGES:
            return point_in_time.parse(stage, line, stream)
        if stage in ("told", "info", "files"):
            return info.newest(line) if operation == "backup" and stream == "out" else None
        text = line.decode("utf-8", "replace")
        if stream == "err":
            return Warned(text[5:].strip()) if text.startswith("WARN:") else None
        return _said(text, stage)

    def verdict(
        self, operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
    ) -> Judgement:
        """What came of it."""
        failed = next((end for end in ends if end.exit_code or end.source_code), None)
        if any(end.name in point_in_time.STAGES for end in ends) and (
            failed is None or failed.name in point_in_time.STAGES
        ):
            return point_in_time.judged(ends, events)
        return judged(operation, ends, events)


def server_of(spec: RepositorySpec) -> point_in_time.Server:
    """How psql reaches the cluster that the stanza saves."""
    options = spec.options
    return point_in_time.Server(
        user=options.get("user", ""), host=options.get("socket") or options.get("host", ""),
        port=options.get("port", ""), role=options.get("role", ""),
    )  # fmt: skip


def _said(text: str, stage: str) -> Event | None:
    if found := _AT.match(text):
        return Progress(stage=f"{stage} {found[2]}", current=found[1])
    if found := _NEW.match(text):
        return Summary(snapshot=found[1], words="label")
    if found := _RESTORED.match(text):
        return Summary(files=int(found[1]), words="restored")
    if found := _EXPIRED.match(text):
        return Summary(words=f"expired {found[1]}")
    if stage == "gaps" and text.startswith("gap "):
        return Warned(f"the log's segment after {text.split(' ')[1][:60]} is missing in the archive")
    if stage == "gaps" and text.startswith("segments "):
        return Summary(words="segments")
    if stage == "verify" and (found := _BAD_BACKUP.match(text)):
        return Warned(f"backup {found[1]} is {found[2]}")
    if stage == "verify" and re.match(r"\s*(status: error|No usable |P\d+ +INFO: invalid )", text):
        return Summary(errors=1, words=text.strip()[:200])
    return None


def _pgbackrest(spec: RepositorySpec) -> tuple[str, ...]:
    """The program with all that says which stanza; a command and its options follow."""
    for name, value in spec.options.items():
        if name not in _OPTIONS:
            raise ValueError(f"pgBackRest's repositories have no option {name!r}: {', '.join(sorted(_OPTIONS))}.")  # fmt: skip
        if not value or value.startswith("-") or any(c in value for c in "\0\r\n"):
            raise ValueError(f"The option {name!r} can't be {value!r}.")
    if not _STANZA.match(spec.location):
        raise ValueError(f"No stanza can be called {spec.location!r}.")
    config = spec.options.get("config", "")
    repo = ("--repo=" + _repo(spec),) if "repo" in spec.options else ()
    return (
        "pgbackrest", *((f"--config={config}",) if config else ()), f"--stanza={spec.location}", *repo,
        "--log-timestamp=n", "--log-level-stderr=warn",
    )  # fmt: skip


def _stage(name: str, spec: RepositorySpec, *more: str) -> Stage:
    level = "off" if "--output=json" in more else "info"
    argv = (*_pgbackrest(spec), f"--log-level-console={level}", *more)
    return Stage(name, as_user(spec.options.get("user", ""), argv))


def _restore(place: Place, data: str, *how: str) -> Stage:
    if not data.startswith("/") or not data.strip("/"):
        raise ValueError("A cluster is restored into a data folder, which is named by its whole path.")
    argv = (*_pgbackrest(place.spec), "--log-level-console=detail", f"--pg1-path={data}", *how, "restore")
    return Stage("restore", as_user(place.spec.options.get("user", ""), argv))


def _repo(spec: RepositorySpec) -> str:
    number = spec.options.get("repo", "1")
    if not (number.isascii() and number.isdigit() and len(number) < 4):
        raise ValueError(f"A repository of pgBackRest is a number, not {number!r}.")
    return number


def _type(spec: RepositorySpec) -> tuple[str, str]:
    """Days between full backups, and the type of the others."""
    days, kind = spec.options.get("full_days", str(FULL_DAYS)), spec.options.get("type", "incr")
    if not (days.isascii() and days.isdigit() and len(days) < 5):
        raise ValueError(f"full_days is a number of days, not {days!r}.")
    if kind not in ("full", "diff", "incr"):
        raise ValueError(f"The type of a backup is full, diff or incr, not {kind!r}.")
    return days, kind


def _fulls(keep: Retention) -> int:
    """Full backups that are kept; 0: pgBackRest's own configuration says it."""
    if any((keep.hourly, keep.daily, keep.monthly, keep.yearly)):
        raise ValueError("pgBackRest counts full backups: give it last or weekly alone.")
    return max(keep.last, keep.weekly)


def _known(snapshot: str) -> None:
    if not _LABEL.match(snapshot):
        raise ValueError(f"No backup of pgBackRest can be called {snapshot!r}.")
