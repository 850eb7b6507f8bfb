"""Commands on approvals: what waits for another person, from runs of runbooks and from orders."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart, clock_words
from guardian_tui.protocol.approvals import Approval, ApprovalRef, GiveApproval
from guardian_tui.protocol.runbooks import RunbookRun
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog
from screens.reports import ReportDialog

GIVE = "approvals.give"


class ApprovalCommands(CommandPart):
    """Approving, refusing, and carrying out what was approved."""

    def command_approvals(self, arguments: tuple[str, ...]) -> None:
        """`:approvals`: the one that waits, or which of them."""
        app = self._app
        runs = [run for run in app.world.active_runs() if run.asked == "approve"]
        orders = app.world.open_approvals()
        choices = [*map(_of_run, runs), *map(_of_order, orders)]
        if not choices:
            app.say("Nothing waits for an approval.")
            return

        def picked(id: str | None) -> None:
            if id is None:
                return
            order = next((one for one in orders if one.id == id), None)
            if order is not None:
                self._open_order(order)
            else:
                app.open_runbook_run(id)

        if len(choices) == 1:
            picked(choices[0][0])
            return
        app.push_screen(ChoiceDialog("what waits for an approval", choices), picked)

    def _open_order(self, one: Approval) -> None:
        """Its preview, and what this person can do about it."""
        app, session = self._app, self._app.session
        if session is None:
            return
        mine = session.account == one.by
        accept = ""
        if mine and one.state == "approved":
            accept = "carry it out"
        elif not mine and GIVE in session.permissions:
            accept = "answer"

        def read(yes: bool | None) -> None:
            if yes and mine:
                app.order("approvals.go", Approval, ApprovalRef(approval=one.id), self._carried_out)
            elif yes and accept:
                self._answer(one)

        app.push_screen(ReportDialog(f"{one.by} asks for approval", lines_of(one), accept=accept), read)

    def _answer(self, one: Approval) -> None:
        app = self._app

        def refused(note: str | None) -> None:
            if note is not None:
                order = GiveApproval(approval=one.id, digest=one.digest, note=note)
                app.order("approvals.refuse", Approval, order, f"Refused; {one.by} is told.")

        def picked(choice: str | None) -> None:
            if choice == "approve":
                order = GiveApproval(approval=one.id, digest=one.digest)
                app.order("approvals.approve", Approval, order, f"Approved; {one.by} carries it out.")
            elif choice == "refuse":
                app.push_screen(TextDialog("refuse", "Why not? It stands in the audit log."), refused)

        choices = [
            ("approve", "approve", "exactly this, once; wants a fresh code"),
            ("refuse", "refuse", "it is over, and has to be asked for anew"),
        ]
        app.push_screen(ChoiceDialog(one.words, choices), picked)

    def _carried_out(self, one: Approval) -> None:
        run = self._app.world.runs.get(one.run)
        if run is not None:
            self._app.open_run(run)
        else:
            self._app.say(f"{one.words} It has begun.")

    def tell_order(self, one: Approval) -> None:
        """Something is asked of others, or was answered: whom it concerns is told."""
        app, session = self._app, self._app.session
        if session is None:
            return
        mine = session.account == one.by
        if one.state == "waiting" and not mine and GIVE in session.permissions and not one.given:
            app.say(
                f"{one.by}: {one.words} :approvals opens it.",
                severity="warning",
                title="an approval is asked of you",
            )
        elif mine and one.state == "approved":
            by = ", ".join(given.by for given in one.given if given.ok)
            app.say(f"{one.words} :approvals carries it out.", title=f"approved by {by}")
        elif mine and one.state in ("refused", "void"):
            app.say(f"{one.words} {one.why}", severity="warning", title=f"{one.state}")


def lines_of(one: Approval) -> list[tuple[str, str]]:
    """An order that waits, as lines of a report."""
    given = sum(said.ok and not said.void for said in one.given)
    lines = [
        (one.words, "strong"),
        (f"asked for by {one.by} at {clock_words(one.asked_at)}, void at {clock_words(one.expires_at)}", "muted"),
        (f"{given} of {one.quorum} have approved it", "good" if one.state == "approved" else "error"),
    ]  # fmt: skip
    for said in one.given:
        words = f"{'approved' if said.ok else 'refused'} by {said.by} at {clock_words(said.at)}"
        lines.append((f"{words}{f': {said.note}' if said.note else ''}", "muted"))
        if said.void:
            lines.append((f"  it no longer holds: {said.void}", "error"))
    return [
        *lines,
        ("", ""),
        *((line, "") for line in one.lines),
        ("", ""),
        (f"digest {one.digest}", "muted"),
    ]


def _of_order(one: Approval) -> tuple[str, str, str]:
    return one.id, one.target, f"{one.words} asked for by {one.by}; {one.state}"


def _of_run(run: RunbookRun) -> tuple[str, str, str]:
    words = run.current.words if run.current else ""
    return run.id, run.title, f"led by {run.leader}, {run.hosts_count} hosts: {words}"
