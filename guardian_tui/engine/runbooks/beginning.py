"""How a step begins: on which hosts, within whose rights, under which approval; and what the audit log is told of it."""

from __future__ import annotations

from guardian_tui.engine.calls import Entry, Scope
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import journal
from guardian_tui.engine.runbooks.documents import Step
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.journal import AnyEntry
from guardian_tui.engine.runbooks.planning import batches
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.sight import basis_of
from guardian_tui.protocol.errors import InvalidRequest, NotFound

LINES_TOLD = 3
"""Commands that an audit event names."""
LINE_CHARACTERS = 300
HOSTS_TOLD = 10


def starting(
    house: House, run: Run, step: Step, by: str, scope: Scope, *, undo: bool = False
) -> journal.Started:
    """The entry with which a step begins.

    Raises:
        NotFound: it would act on a host that is not the person's.
        InvalidRequest: it can't be begun: a value is missing, a host is gone.
    """
    now, basis = house.clock.now(), basis_of(house, run)
    hosts: list[Way] = []
    sizes: tuple[int, ...] = ()
    if step.acts or step.kind in ("wait", "silence"):
        hosts = house.planner.hosts(basis, step) or []
    for way in hosts:
        # hosts that only became known on the way (by a value, a filter) are held against the scope here
        if not scope.covers(way.labels):
            raise NotFound(f"the host {way.name!r} does not exist or is not yours to see")
    if step.acts:
        hosts = _meant(run, step, hosts, undo=undo)
        for way in hosts:
            house.planner.rendered(basis, step, way, rollback=undo)
        sizes = batches(step, len(hosts))
    until = now + (step.wait_seconds or step.timeout_seconds) if step.kind == "wait" else 0.0
    run.relabel(house.places, hosts)
    return journal.Started(
        at=now, by=by, step=step.name, hosts=tuple(way.host_id for way in hosts), batches=sizes, undo=undo, until=until,
        names={way.host_id: way.name for way in hosts},
    )  # fmt: skip


def _meant(run: Run, step: Step, hosts: list[Way], *, undo: bool) -> list[Way]:
    """Those of a step's hosts that this attempt is about."""
    record = run.standing.of(step.name)
    if undo:
        hosts = [way for way in hosts if way.host_id in record.touched]
    else:
        # what was well in an earlier attempt is left alone
        well = {host for host, outcome in record.outcomes.items() if outcome.state == "ok"}
        hosts = [way for way in hosts if way.host_id not in well] or hosts
    if not hosts:
        raise InvalidRequest("It is not known on which hosts this is to run.", field="hosts")
    return hosts


def lapsed(house: House, run: Run) -> list[AnyEntry]:
    """Entries that lead back to an approval that no longer holds; none: all of them do."""
    standing = run.standing
    for name in reversed(standing.path):
        step = standing.document.step(name)
        if step.kind == "approve" and standing.of(name).state == "done":
            if approvals(run, step) >= step.quorum:
                return []
            now, why = house.clock.now(), next(iter(run.sight.void.values()), "It was withdrawn.")
            words = f"The approval no longer holds: {why} It has to be given again."
            return [
                journal.Moved(at=now, step=name, why="back"),
                journal.Planned(at=now, step=name, words=words),
            ]
    return []


def approvals(run: Run, step: Step) -> int:
    """How many approvals of a step hold."""
    return sum(
        one.ok and one.step == step.name and one.account not in run.sight.void for one in run.standing.judged
    )


def intent(run: Run, step: Step, entry: journal.Started) -> Entry:
    """The event of a step that begins: what will be run, on disk before it is."""
    return Entry(entry.by, "runbooks.step", run.standing.document.id, "intent", body=told(run, step, entry))


def told(run: Run, step: Step, entry: journal.Started) -> dict[str, object]:
    """What an event says of a step that begins."""
    body: dict[str, object] = {"run": run.id, "step": step.name, "kind": step.kind, "hosts": len(entry.hosts)}
    planned = run.sight.planned
    if planned is not None and planned.commands:
        body["commands"] = [one.command[:LINE_CHARACTERS] for one in planned.commands[:LINES_TOLD]]
        body["on"] = [entry.names.get(host, host) for host in entry.hosts[:HOSTS_TOLD]]
        body["as"] = step.user
    return body


def outcome(run: Run, step: Step, result: journal.Result) -> Entry:
    """The event of what came of a step."""
    record = run.standing.of(step.name)
    states = [outcome.state for outcome in record.outcomes.values()]
    body: dict[str, object] = {
        "run": run.id,
        "step": step.name,
        "state": result.state,
        "words": result.words[:LINE_CHARACTERS],
    }
    if states:
        body |= {state: states.count(state) for state in ("ok", "failed", "unknown")}
    word = "ok" if result.state in ("done", "undone", "skipped") else "failed"
    return Entry(record.by or run.standing.leader, "runbooks.step", run.standing.document.id, word, body=body)
