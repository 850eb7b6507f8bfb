"""Answers of people to what a run asks: each given to what they saw, checked, and on disk before anything follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from guardian_tui.engine.approvals.counting import check_another, uids_of_others
from guardian_tui.engine.calls import Call, Principal
from guardian_tui.engine.runbooks import beginning, course, journal, leading
from guardian_tui.engine.runbooks.documents import Document, Step, check_value
from guardian_tui.engine.runbooks.journal import AnyEntry
from guardian_tui.engine.runbooks.references import check_reference, is_reference
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.runner import Runner
from guardian_tui.protocol.errors import Conflict, InvalidRequest, PermissionDenied
from guardian_tui.protocol.runbooks import AnswerRunbook, ApproveRunbook
from guardian_tui.text import counted

GONE_ON = "The run has gone on meanwhile{by}: look at it again before you answer."


def check_roles(principal: Principal, roles: Sequence[str], what: str) -> None:
    """Raise PermissionDenied unless the person has one of the roles that a document asks for."""
    if roles and not any(role in principal.roles for role in roles):
        raise PermissionDenied(
            f"{what} is for {' or '.join(roles)}; hand the run over to somebody who is that."
        )


def roles_of(document: Document, step: Step) -> tuple[str, ...]:
    """Who may do a step."""
    return step.roles or document.roles


class Answers:
    """Takes answers."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._house = runner.house

    async def answer(self, call: Call, run: Run, request: AnswerRunbook) -> None:
        """Take one answer.

        Raises:
            Conflict: the run has gone on meanwhile, or does not ask that.
            GuardianError: it can't be taken.
        """
        async with run.lock:
            self._check_version(run, request.version)
            standing = run.standing
            if request.act not in course.acts(standing):
                can = ", ".join(course.acts(standing)) or "nothing"
                raise Conflict(f"The run does not ask that now; it takes: {can}.")
            assert call.principal is not None  # noqa: S101  # by the route's permission
            step = standing.current
            if step is not None and request.act not in ("pause", "stop"):
                check_roles(call.principal, roles_of(standing.document, step), f"The step {step.name}")
            self._take_secrets(call, run, request)
            entries = await self._entries(call, run, step, request)
            body: dict[str, object] = {
                "run": run.id,
                "step": standing.step,
                "act": request.act,
                **_told(request),
            }
            started = next((entry for entry in entries if isinstance(entry, journal.Started)), None)
            if started is not None and step is not None:
                body |= beginning.told(run, step, started)
            async with call.change(standing.document.id, body=body) as tx:
                await self._runner.write(tx, run, entries)
            if request.act != "pause":
                # who only pauses it leads it nowhere
                run.principal = call.principal
            self._follow_up(run, entries, request.act)

    def _check_version(self, run: Run, version: int) -> None:
        if version != run.standing.version:
            by = run.standing.record.by if run.standing.step else ""
            raise Conflict(GONE_ON.format(by=f" ({by} was faster)" if by else ""))

    def _take_secrets(self, call: Call, run: Run, request: AnswerRunbook) -> None:
        known = {one.name: one for one in run.standing.document.variables if one.secret}
        for name, value in request.secrets.items():
            if name not in known:
                raise InvalidRequest(f"{name[:60]} is no secret of this runbook.", field=name)
            check_reference(call.principal, value, name)
            run.secrets[name] = value if is_reference(value, True) else check_value(known[name], value)

    async def _entries(
        self, call: Call, run: Run, step: Step | None, request: AnswerRunbook
    ) -> list[AnyEntry]:
        by, now, standing = call.actor, call.now, run.standing
        match request.act:
            case "pause":
                return [journal.Paused(at=now, by=by, words=f"Paused by {by}.")]
            case "resume":
                return [journal.Resumed(at=now, by=by)]
            case "rollback":
                return self._rollback(run, by)
            case "stop":
                raise InvalidRequest("A run is stopped by runbooks.stop.", field="act")
        assert step is not None  # noqa: S101  # all that follows is asked of a step
        match request.act:
            case "go":
                return await self._go(call, run, step, request)
            case "undo":
                self._check_typed(run, request)
                return [beginning.starting(self._house, run, step, by, call.scope, undo=True)]
            case "retry":
                return self._retry(run, step)
            case "back":
                previous = standing.path[-1]
                return leading.onward(self._house, run, previous, "back")
            case _:
                return self._leave(run, step, request, by)

    def _leave(self, run: Run, step: Step, request: AnswerRunbook, by: str) -> list[AnyEntry]:
        """A step is skipped, or taken as done though it failed or nothing is known of it."""
        if not request.reason.strip():
            raise InvalidRequest("Say why: it stands in the transcript.", field="reason")
        undo = run.standing.rolling_back
        now = self._house.clock.now()
        if request.act == "skip":
            result = journal.Result(
                at=now, by=by, step=step.name, state="skipped", words=request.reason, undo=undo
            )
        else:
            words = f"taken as done: {request.reason}"
            result = journal.Result(at=now, by=by, step=step.name, state="done", words=words, undo=undo)
        if undo:
            return [result, *leading.next_undo(self._house, run.standing.after([result]))]
        return [result, *self._onward(run, result, run.standing.document.following(step))]

    def _onward(self, run: Run, result: journal.Result, target: str) -> list[AnyEntry]:
        """Where the run goes after a result that is not written yet."""
        return leading.onward(self._house, run, target, standing=run.standing.after([result]))

    def _retry(self, run: Run, step: Step) -> list[AnyEntry]:
        if run.standing.rolling_back:
            return [
                journal.Planned(at=self._house.clock.now(), step=step.name, words="Shall this be taken back?")
            ]
        return leading.onward(self._house, run, step.name, "retry")

    def _rollback(self, run: Run, by: str) -> list[AnyEntry]:
        standing, now = run.standing, self._house.clock.now()
        first: list[AnyEntry] = []
        if standing.state == "paused":
            if run.busy:
                raise Conflict(f"Commands still run on {counted(len(run.busy), 'host')}; wait for their end.")
            words = "It was left in the middle, to be taken back."
            first = [journal.Result(at=now, by=by, step=standing.step, state="failed", words=words)]
            standing = standing.after(first)
        return [*first, *leading.rolling_back(self._house, standing)]

    async def _go(self, call: Call, run: Run, step: Step, request: AnswerRunbook) -> list[AnyEntry]:
        by, now = call.actor, call.now
        match step.kind:
            case "instruct":
                result = journal.Result(at=now, by=by, step=step.name, state="done")
                return [result, *self._onward(run, result, run.standing.document.following(step))]
            case "input":
                return self._input(call, run, step, request)
            case "choose":
                return self._choose(run, step, request, by)
        # secrets that come with the answer change what is shown, too
        shown = None if request.secrets else run.sight.planned
        await self._runner.look(run)
        if back := beginning.lapsed(self._house, run):
            return back
        if shown is not None and run.sight.planned is not None and run.sight.planned != shown:
            self._runner.display.show(run)
            raise Conflict("The hosts or what would run there have changed since you looked: look again.")
        if run.sight.problem:
            raise InvalidRequest(run.sight.problem)
        if step.dangerous:
            self._check_typed(run, request)
        return [beginning.starting(self._house, run, step, by, call.scope)]

    def _input(self, call: Call, run: Run, step: Step, request: AnswerRunbook) -> list[AnyEntry]:
        variable = step.variable
        assert variable is not None  # noqa: S101  # an input has one
        given = request.value or run.standing.values.get(variable.name) or variable.default or ""
        value = given if is_reference(given, variable.secret) else check_value(variable, given)
        if variable.secret:
            check_reference(call.principal, request.value, "value")
            run.secrets[variable.name] = value
        told = None if variable.secret else value
        result = journal.Result(
            at=self._house.clock.now(), by=call.actor, step=step.name, state="done", value=told
        )
        return [result, *self._onward(run, result, run.standing.document.following(step))]

    def _choose(self, run: Run, step: Step, request: AnswerRunbook, by: str) -> list[AnyEntry]:
        option = next((one for one in step.options if one.answer == request.choice), None)
        if option is None:
            answers = ", ".join(one.answer for one in step.options)
            raise InvalidRequest(f"Choose one of {answers}.", field="choice")
        result = journal.Result(
            at=self._house.clock.now(), by=by, step=step.name, state="done", choice=option.answer
        )
        return [result, *self._onward(run, result, option.target)]

    def _check_typed(self, run: Run, request: AnswerRunbook) -> None:
        wanted = run.sight.planned.phrase if run.sight.planned is not None else ""
        if wanted and request.typed.strip() != wanted:
            raise InvalidRequest(f"Type {wanted} to go on: it can't be had back by itself.", field="typed")

    def _follow_up(self, run: Run, entries: Sequence[AnyEntry], act: str) -> None:
        """What begins once an answer is on disk."""
        standing = run.standing
        if act == "pause":
            run.go.clear()
        elif act == "resume" and run.task is not None and not run.task.done():
            run.go.set()
        elif act == "rollback" and run.task is not None and not run.task.done():
            # nothing runs any more, and what waits for the next batch is not to go on
            run.task.cancel()
        if (
            (act == "resume" and (run.task is None or run.task.done()))
            or any(isinstance(entry, journal.Started) for entry in entries)
            or standing.proof == "waiting"
        ):
            self._runner.carry_on(run)
        elif standing.state == "ended":
            self._runner.end_soon(run)
        elif act in ("go", "skip", "accept") and standing.auto:
            self._runner.go_on_soon(run)

    async def approve(self, call: Call, run: Run, request: ApproveRunbook) -> None:
        """Take an approval, or a refusal.

        Raises:
            Conflict: the run has gone on, or what would be run is other than what was shown.
            PermissionDenied: the person began the run, or has not the role.
        """
        async with run.lock:
            await self._runner.look(run)
            self._check_version(run, request.version)
            standing, step = run.standing, run.standing.current
            if step is None or step.kind != "approve" or standing.state != "asking" or standing.rolling_back:
                raise Conflict("The run asks for no approval now.")
            principal = call.principal
            assert principal is not None  # noqa: S101  # by the route's permission
            words = "Whoever leads a run does not approve it"
            check_another(
                principal, (standing.account, *self._led_by(run)), words, self._uids(run, principal)
            )
            check_roles(principal, step.roles, f"The approval {step.name}")
            if request.digest != run.sight.digest:
                raise Conflict("What would be run has changed since you looked: read it again.")
            known = {*standing.values, *run.secrets}
            known |= {name for some in standing.captured.values() for name in some}
            judged = journal.Judged(
                at=call.now, by=call.actor, step=step.name, account=principal.account_id, digest=request.digest, ok=request.ok,
                until=call.now + step.expires_seconds, note=request.note, known=tuple(sorted(known)), uid=call.peer.uid,
            )  # fmt: skip
            entries: list[AnyEntry] = [judged]
            if not request.ok:
                words = f"{call.actor} refused: {request.note}" if request.note else f"{call.actor} refused."
                entries.append(
                    journal.Result(at=call.now, by=call.actor, step=step.name, state="failed", words=words)
                )
            elif beginning.approvals(run, step) + self._new(run, step, principal) >= step.quorum:
                result = journal.Result(at=call.now, by=call.actor, step=step.name, state="done")
                entries += [result, *self._onward(run, result, run.standing.document.following(step))]
            body = {
                "run": run.id,
                "step": step.name,
                "ok": request.ok,
                "digest": request.digest,
                "note": request.note,
            }
            async with call.change(standing.document.id, body=body) as tx:
                await self._runner.write(tx, run, entries)
            self._follow_up(run, entries, "go")

    @staticmethod
    def _led_by(run: Run) -> tuple[str, ...]:
        return (run.principal.account_id,) if run.principal is not None else ()

    def _uids(self, run: Run, principal: Principal) -> tuple[int, ...]:
        """Unix accounts that it was begun and led from, and approved from by others: each is one person's."""
        if not self._house.by_uid:
            return ()
        leader = (run.principal.peer_uid,) if run.principal is not None else ()
        return (run.standing.uid, *leader, *uids_of_others(run.standing.judged, principal, run.sight.void))

    @staticmethod
    def _new(run: Run, step: Step, principal: Principal) -> int:
        """Whether an approval is one more: who approves twice counts once, but what was said of another step is not said of this one."""
        return int(
            not any(
                one.ok
                and one.step == step.name
                and one.account == principal.account_id
                and one.account not in run.sight.void
                for one in run.standing.judged
            )
        )


def _told(request: AnswerRunbook) -> dict[str, str]:
    """What an event says of an answer; values may be secrets, and stand in the transcript if they are none."""
    told = {"choice": request.choice, "reason": request.reason}
    return {name: text for name, text in told.items() if text}
