"""A database brought back to a moment: the window in which that can be, and the run that does it.  Today pgBackRest's."""

from __future__ import annotations

import shlex

from guardian_tui.engine.backups import point_in_time, previews
from guardian_tui.engine.backups.drills import Unprovable, drill_of
from guardian_tui.engine.backups.engines.base import Stage
from guardian_tui.engine.backups.engines.pgbackrest import Pgbackrest
from guardian_tui.engine.backups.engines.psql_words import plainly
from guardian_tui.engine.backups.own_state import OwnState
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.sites import Sites, cannot
from guardian_tui.engine.backups.work import Drill, Moment, stages_of
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol import backups as wire
from guardian_tui.protocol.backups import RestorePlan
from guardian_tui.protocol.errors import Conflict, HostUnavailable, InvalidRequest
from guardian_tui.text import safe

WINDOW_SECONDS = 60.0
LAST_SECONDS = 1.0
"""A moment so near to the end of the archive may have no commit after it there: without one recovery never reaches it."""
ENGINES = frozenset({"pgbackrest"})
"""Those that can."""


async def window_of(sites: Sites, way: Way, repository: Repository) -> point_in_time.Window:
    """The window, asked of the repository and of the running server.

    Raises:
        Conflict: its engine can't bring anything back to a moment.
        HostUnavailable: it could not be asked; says why.
        RepositoryUnavailable: the repository does not tell it; says why, and what to do.
    """
    if repository.spec.engine not in ENGINES:
        raise Conflict(
            f"{repository.spec.engine} restores snapshots; only pgBackRest brings a database back to any moment."
        )
    one, out, silent = Pgbackrest(), b"", ""
    try:
        place = await sites.place(way, repository.spec)
        for stage in one.window(place):
            done = await sites.ask(way, repository.spec, stage, WINDOW_SECONDS)
            if done.exit_status in stage.exit_codes:
                out += done.out
                continue
            if stage.name != "archiver":
                raise cannot(repository.spec, "list", stage, done)
            # a server that is gone is what backups are for
            silent = plainly((done.err or done.out)[-2000:].decode("utf-8", "replace"))
        return one.window_of(out, repository.memory.archived_at, silent)
    except ConnectFailed as error:
        raise HostUnavailable(error.detail) from error
    except ValueError as error:
        raise HostUnavailable(
            f"What pgBackRest said of the window can't be read: {safe(str(error), 300)}."
        ) from error


def told(window: point_in_time.Window) -> wire.Window:
    """The window as it is shown: an end before its beginning would be read as a span, and is told in words instead."""
    latest, words = window.latest, window.words
    if window.earliest is not None and latest is not None and latest < window.earliest:
        why = point_in_time.refusal(window, point_in_time.Target(window.earliest))
        latest, words = None, " ".join(filter(None, (why, words)))
    return wire.Window(earliest=window.earliest, latest=latest, pending=window.pending, words=words)


def restore_to(window: point_in_time.Window, at: float, folder: str) -> Moment:
    """The restore to a moment, into a new folder.

    Raises:
        InvalidRequest: the moment is not in the window, or the folder can't be.
    """
    if why := point_in_time.refusal(window, point_in_time.Target(at)):
        raise InvalidRequest(why, field="at")
    if folder == "/":
        raise InvalidRequest(
            "A database is restored into a new folder, beside the one that runs: name it.", field="target"
        )
    # where its end is the last commit it is known exactly, else only as the time of a file
    near = 0.001 if window.pending is False else LAST_SECONDS
    last = window.latest is not None and at > window.latest - near
    return Moment(
        at, folder, push=last and window.server_at is not None, to_end=last and window.server_at is None
    )


async def preview_to(
    commands: Commands, sites: Sites, way: Way, job: Job, repository: Repository, work: Moment, window: point_in_time.Window
) -> RestorePlan:  # fmt: skip
    """What the restore to a moment would do, and whether it fits; nothing is changed.

    Raises:
        HostUnavailable: the host can't be asked.
        InvalidRequest: it can't be done so; says why.
    """
    try:
        place = await sites.place(way, repository.spec)
        stages = stages_of(work, Pgbackrest(), place, job.spec, "preview")
        found, room = await previews.look(commands, way, work.folder, [work.folder])
    except ConnectFailed as error:
        raise HostUnavailable(f"{way.name} can't be asked: {error.detail}") from error
    except ValueError as error:
        raise InvalidRequest(str(error), field="target") from error
    size = job.newest.bytes if job.newest and job.newest.bytes else 0
    notes = (
        []
        if size
        else ["How much room it takes is not known: the repository does not say how large the database is."]
    )
    notes += [f"Of the archive: {window.words}."] if window.words else []
    if work.to_end:
        notes.append(
            "All that is in the archive is replayed, up to its end: that may be later than the moment that was named."
        )
    return RestorePlan(
        host=way.name, target=work.folder, files=0, bytes=size, overwritten=tuple(safe(name, 500) for name in found), overwritten_files=len(found),
        free_bytes=room, fits=room is None or room > size, commands=tuple(_told(stage) for stage in stages), notes=tuple(notes),
    )  # fmt: skip


_STEPS = {
    "push the log on": "get the last commits of the running server into the archive, and one of our own after them",
    "prepare": "make the folder, readable by nobody else", "start": "start PostgreSQL there, on a private socket and nowhere else, archiving nothing",
    "recover": "replay the log up to the moment, and wait until it is reached", "amcheck": "check all of its data (pg_amcheck)",
    "probe": "ask the probe", "stop": "stop it", "delete": "delete all of it",
}  # fmt: skip


def _told(stage: Stage) -> str:
    """A step in words, or the backup engine's own command without what makes it another user's."""
    if stage.name in _STEPS:
        return _STEPS[stage.name]
    argv = list(stage.argv)
    own = argv[argv.index("pgbackrest") :] if "pgbackrest" in argv else argv
    return safe(shlex.join(own), 1000)


async def proof_of(
    store: Store, sites: Sites, own_state: OwnState, way: Way, job: Job, repository: Repository
) -> Drill | Moment:
    """The drill of a job, whatever its engine: a database is brought back, started and asked, files are restored and compared.

    Raises:
        Unprovable: there is nothing to drill with.
        HostUnavailable: a database's window could not be asked.
    """
    if repository.spec.engine in ENGINES:
        return drill_to(await window_of(sites, way, repository), job, "")
    return await drill_of(store, job, repository, own_state)


def drill_to(window: point_in_time.Window, job: Job, folder: str) -> Moment:
    """The drill: to this very moment where the running server archives, so that what was written last is proven too; else to the last one that can be.

    Raises:
        Unprovable: there is none.
    """
    policy = job.spec.drill
    if window.server_at is not None and window.archiving:
        at = window.server_at
        # its log is pushed on first: what is refused for want of a later commit is not
        if window.earliest is None or at < window.earliest:
            raise Unprovable(point_in_time.refusal(window, point_in_time.Target(at)))
        return Moment(
            at, folder, drill=True, probe_sql=policy.probe_sql, probe_answer=policy.probe_answer, push=True
        )
    latest = window.latest if window.latest is not None else 0.0
    if why := point_in_time.refusal(window, point_in_time.Target(latest)):
        raise Unprovable(why)
    # a moment is known to be reached by a commit after it: the last one that is archived must be that one
    at = max(window.earliest or 0.0, latest - 0.001)
    return Moment(at, folder, drill=True, probe_sql=policy.probe_sql, probe_answer=policy.probe_answer)
