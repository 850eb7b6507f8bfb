"""What another person approves of an order on backups: the order, and of its preview all that would make it another one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from guardian_tui.engine.approvals.book import Book, Ticket
from guardian_tui.engine.approvals.records import About
from guardian_tui.engine.approvals.wanted import Wanted
from guardian_tui.engine.backups import own_state
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.calls import Call
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol import backups as wire
from guardian_tui.protocol.approvals import ApprovedOrder
from guardian_tui.protocol.fleet import SecretRef
from guardian_tui.text import counted, safe

LINES = 40
"""Of files or snapshots that are named to whoever approves; the digest is of all that is known."""


class Asking:
    """Asks the book for leave, with what each order is about."""

    def __init__(self, backups: Backups, book: Book) -> None:
        self._backups = backups
        self._book = book

    async def restore(
        self, call: Call, what: tuple[Job, Repository, Way], snapshot: wire.Snapshot, request: wire.Restore, plan: wire.RestorePlan
    ) -> Ticket | None:  # fmt: skip
        """A restore of files; the room that is free there may change meanwhile, what would be written and replaced may not."""
        job, repository, way = what
        lines = [
            f"snapshot of {_at(snapshot.at)} ({snapshot.id[:12]})", f"{counted(plan.files, 'file')}, {plan.bytes} bytes, below {safe(plan.target, 300)}",
            f"{counted(plan.overwritten_files, 'file')} there would be overwritten",
            *_some([f"  {path}" for path in plan.overwritten]), *plan.notes, *(f"$ {command}" for command in plan.commands),
        ]  # fmt: skip
        words = f"Restore {counted(plan.files, 'file')} of {job.spec.name} to {safe(plan.target, 200)} on {way.name}."
        seen = (snapshot.id, plan.files, plan.bytes, plan.overwritten_files, plan.overwritten, plan.commands)
        about = self._about(repository, job)
        return await self._book.ticket(call, Wanted(
            "backups.restore", request, job.spec.name, way.host_id, way.name, words, tuple(lines), (*_both(job, repository), seen),
            _ids(job.host_id, way.host_id), about,
        ))  # fmt: skip

    async def moment(
        self, call: Call, job: Job, repository: Repository, way: Way, request: wire.Restore
    ) -> Ticket | None:
        """A database that is brought to a moment."""
        when = _at(request.at)
        lines = (
            f"to {when}, into {safe(request.target, 300)}",
            f"from the repository {repository.spec.name}",
        )
        words = f"Bring {job.spec.name} on {way.name} to {when}."
        return await self._book.ticket(call, Wanted(
            "backups.restore", request, job.spec.name, way.host_id, way.name, words, lines, _both(job, repository),
            _ids(job.host_id, way.host_id), self._about(repository, job),
        ))  # fmt: skip

    def wants_retain(self, job: Job, repository: Repository) -> bool:
        """Whether somebody has to read what would be forgotten, which is dear to ask for."""
        about = self._about(repository, job)
        return self._book.demand("backups.retain", (job.host_id,), about) is not None

    async def retain(
        self, call: Call, what: tuple[Job, Repository, Way], request: wire.JobRef, plan: wire.RetentionPlan
    ) -> Ticket | None:
        """Snapshots that the policy does not keep."""
        job, repository, way = what
        count = len(plan.forgotten)
        lines = [
            f"{counted(plan.kept, 'snapshot is', 'snapshots are')} kept",
            *_some([f"- {_at(one.at)}  {one.id[:12]}" for one in plan.forgotten]),
        ]
        words = f"Forget {counted(count, 'snapshot')} of {job.spec.name} in {repository.spec.name}, for good."
        return await self._book.ticket(call, Wanted(
            "backups.retain", request, job.spec.name, way.host_id, way.name, words, tuple(lines),
            (*_both(job, repository), sorted(one.id for one in plan.forgotten)), (job.host_id,), self._about(repository, job),
        ))  # fmt: skip

    async def unlock(
        self, call: Call, repository: Repository, way: Way, request: wire.RepositoryRef
    ) -> Ticket | None:
        """Locks of a repository, which may be those of a program that still writes into it."""
        jobs = self._jobs_of(repository)
        lines = [f"{repository.spec.engine}, {safe(repository.spec.location, 300)}", *_some([f"  {job.spec.name} on {job.spec.host}" for job in jobs])]  # fmt: skip
        words = f"Remove the locks of the repository {repository.spec.name}, in which {counted(len(jobs), 'job keeps its', 'jobs keep their')} snapshots."
        return await self._book.ticket(call, Wanted(
            "repositories.unlock", request, repository.spec.name, way.host_id, way.name, words, tuple(lines),
            (repository.id, _fields(repository.spec)), (way.host_id,), self._about(repository),
        ))  # fmt: skip

    async def add_job(
        self, call: Call, repository: Repository, way: Way, request: wire.JobSpec
    ) -> Ticket | None:
        """A new job, whose commands are run on its host."""
        about = self._about(repository)
        about = About(_ids(way.host_id, *about.host_ids), (request.name, *about.jobs), about.repositories)
        words = f"Back {way.name} up from now on, by the job {request.name}."
        return await self._book.ticket(call, Wanted(
            "backups.add", request, request.name, way.host_id, way.name, words, tuple(_some(differing(request, None))),
            (repository.id, _fields(repository.spec)), (way.host_id,), about,
        ))  # fmt: skip

    async def change_job(
        self, call: Call, order: ApprovedOrder, job: Job, request: wire.EditJob | wire.JobRef
    ) -> Ticket | None:
        """A job that is changed or removed: what keeps data safe from now on, or no longer."""
        after = request.spec if isinstance(request, wire.EditJob) else None
        repository = self._backups.repositories.get(job.repository_id)
        way = self._backups.way_of(job)
        words = f"{'Change' if after else 'Remove'} the backup job {job.spec.name} of {job.spec.host}."
        return await self._book.ticket(call, Wanted(
            order, request, job.spec.name, job.host_id, way.name if way else job.spec.host, words, tuple(_some(differing(job.spec, after))),
            (job.id, _fields(job.spec)), self._hosts(job.host_id, after), self._about(repository, job),
        ))  # fmt: skip

    async def change_repository(
        self, call: Call, order: ApprovedOrder, repository: Repository, request: wire.EditRepository | wire.RepositoryRef
    ) -> Ticket | None:  # fmt: skip
        """A repository that is reached in another way, or looked at no longer."""
        after = request.spec if isinstance(request, wire.EditRepository) else None
        way = self._backups.way(repository.spec.host)
        ident, name = (way.host_id, way.name) if way else (repository.spec.host, repository.spec.host)
        words = f"{'Change' if after else 'Remove'} the repository {repository.spec.name}; what lies in it is not touched."
        return await self._book.ticket(call, Wanted(
            order, request, repository.spec.name, ident, name, words, tuple(_some(differing(repository.spec, after))),
            (repository.id, _fields(repository.spec)), self._hosts(ident, after), self._about(repository),
        ))  # fmt: skip

    async def secret(self, call: Call, name: str) -> Ticket | None:
        """A secret that is replaced or destroyed; where repositories stand on it that changes how they are reached.

        Its value is not part of what is approved: it is kept nowhere until it is sealed, and nobody else is to see it.
        """
        users = [one for one in self._backups.repositories.values() if self._stands_on(one, name)]
        if not users:
            return None
        order: ApprovedOrder = "secrets.set" if call.route.name == "secrets.set" else "secrets.remove"
        all_about = [self._about(one) for one in users]
        about = About(
            _ids(*(host for one in all_about for host in one.host_ids)),
            _ids(*(job for one in all_about for job in one.jobs)),
            _ids(*(one.spec.name for one in users)),
        )
        readers = [(one.spec.host, self._backups.way(one.spec.host)) for one in users]
        ids = _ids(*(way.host_id if way else host for host, way in readers))
        names = ", ".join(about.repositories)
        words = f"{'Replace' if order == 'secrets.set' else 'Destroy'} the secret {name}, by which {names} {'is' if len(users) == 1 else 'are'} reached."
        lines = [
            f"{one.spec.name}: {one.spec.engine}, {safe(one.spec.location, 300)}, read by {one.spec.host}"
            for one in users
        ]
        lines += [f"  {job}" for job in about.jobs]
        return await self._book.ticket(call, Wanted(
            order, SecretRef(name=name), name, ids[0], readers[0][0], words, tuple(_some(lines)),
            tuple((one.id, _fields(one.spec)) for one in users), ids, about,
        ))  # fmt: skip

    def _stands_on(self, repository: Repository, secret: str) -> bool:
        """Whether what lies in a repository is opened by a secret: its own, or that of Guardian's state in it."""
        sealed = f"secret:{secret}" == own_state.SECRET and any(
            job.spec.own_state for job in self._jobs_of(repository)
        )
        return repository.uses(secret) or sealed

    def _hosts(self, before: str, after: wire.JobSpec | wire.RepositorySpec | None) -> tuple[str, ...]:
        """Of something that may move to another host: both decide."""
        way = self._backups.way(after.host) if after is not None else None
        return _ids(before, way.host_id if way is not None else before)

    def _jobs_of(self, repository: Repository) -> list[Job]:
        return [
            job for job in self._backups.jobs.values()
            if job.repository_id == repository.id or repository.spec.name in job.spec.copies
        ]  # fmt: skip

    def _about(self, repository: Repository | None, job: Job | None = None) -> About:
        """One job, or all whose snapshots lie in a repository: the rules for each of their hosts count."""
        jobs = [job] if job is not None else self._jobs_of(repository) if repository is not None else []
        hosts = [one.host_id for one in jobs]
        if repository is not None and (way := self._backups.way(repository.spec.host)) is not None:
            hosts.append(way.host_id)
        names = (repository.spec.name,) if repository is not None else ()
        return About(_ids(*hosts), tuple(one.spec.name for one in jobs), names)


def differing(before: msgspec.Struct, after: msgspec.Struct | None) -> list[str]:
    """What a specification says, or in what another one differs from it."""
    old, new = _fields(before), _fields(after) if after is not None else None
    if new is None:
        return [f"{name}: {_word(value)}" for name, value in old.items() if value not in ("", [], {})]
    return [
        f"{name}: {_word(value)} → {_word(new[name])}" for name, value in old.items() if value != new[name]
    ]


def _fields(spec: msgspec.Struct) -> dict[str, Any]:  # Any: JSON values
    # by way of JSON: tuples are lists, as they are in what was stored
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(spec))
    return fields


def _word(value: object) -> str:
    return safe(msgspec.json.encode(value).decode(), 200)


def _both(job: Job, repository: Repository) -> tuple[object, ...]:
    """Where it comes from must still be there, reached in the same way."""
    return (job.id, _fields(job.spec), repository.id, _fields(repository.spec))


def _ids(*hosts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hosts))


def _at(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


def _some(lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    return lines if len(lines) <= LINES else [*lines[:LINES], f"and {len(lines) - LINES} more"]
