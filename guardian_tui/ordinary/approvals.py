"""Commands on approvals: what waits for another person, from runs of runbooks and from orders."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart, clock_words
from guardian_tui.protocol.approvals import GIVEN_AGAIN, Approval, ApprovalRef, GiveApproval
from guardian_tui.protocol.runbooks import ApproveRunbook, RunbookRun
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog
from screens.reports import ReportDialog

GIVE = "approvals.give"


class ApprovalCommands(CommandPart):
    """Approving, refusing, and carrying out what was approved."""

    def command_go_approvals(self, arguments: tuple[str, ...]) -> None:
        """`g 8`, `:approvals [FILTER]`."""
        self._go_list("approvals", arguments)

    def open_asked(self, ident: str, *, run: bool) -> None:
        """What would be done, and what this person can do about it."""
        one = self._app.world.approvals.get(ident)
        if run:
            self._app.open_runbook_run(ident)
        elif one is not None:
            self._open_order(one)

    def approve_asked(self, ident: str, *, run: bool) -> None:
        """Nothing is approved that was not read: a run on its own screen, where y approves it, an order in its preview."""
        self.open_asked(ident, run=run)

    def refuse_asked(self, ident: str, note: str, *, run: bool) -> None:
        """Refuse it, with a reason."""
        app = self._app
        order, one = app.world.approvals.get(ident), app.world.runbook_runs.get(ident)

        def refused(note: str | None) -> None:
            if note is None:
                return
            if run and one is not None:
                answer = ApproveRunbook(
                    run=ident, version=one.version, digest=one.digest, ok=False, note=note.strip()
                )
                app.order("runbooks.approve", RunbookRun, answer, f"Refused; {one.leader} is told.")
            elif order is not None:
                refusal = GiveApproval(approval=ident, digest=order.digest, note=note.strip())
                app.order("approvals.refuse", Approval, refusal, f"Refused; {order.by} is told.")

        if note:
            refused(note)
        else:
            app.push_screen(TextDialog("refuse", "Why not? It stands in the audit log."), refused)

    def _open_order(self, one: Approval) -> None:
        app, session = self._app, self._app.session
        if session is None:
            return
        mine = session.account == one.by
        accept = ""
        if mine and one.state == "approved" and one.order not in GIVEN_AGAIN:
            accept = "carry it out"
        elif not mine and one.state in ("waiting", "approved") and GIVE in session.permissions:
            accept = "answer"

        def read(yes: bool | None) -> None:
            if yes and mine:
                app.order("approvals.go", Approval, ApprovalRef(approval=one.id), self._carried_out)
            elif yes and accept:
                self._answer(one)

        title = (
            f"{one.by} asks for approval"
            if one.state in ("waiting", "approved")
            else f"asked for by {one.by}"
        )
        app.push_screen(ReportDialog(title, lines_of(one), accept=accept), read)

    def _answer(self, one: Approval) -> None:
        app = self._app

        def picked(choice: str | None) -> None:
            if choice == "approve":
                order = GiveApproval(approval=one.id, digest=one.digest)
                app.order("approvals.approve", Approval, order, f"Approved; {one.by} carries it out.")
            elif choice == "refuse":
                self.refuse_asked(one.id, "", run=False)

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
            app.say(f"{one.words} {again_words(one)}", title=f"approved by {by}")
        elif mine and one.state in ("refused", "void"):
            app.say(f"{one.words} {one.why}", severity="warning", title=f"{one.state}")


def again_words(one: Approval) -> str:
    """What whoever asked does once it is approved."""
    return (
        "Give it again: its value is kept nowhere."
        if one.order in GIVEN_AGAIN
        else ":approvals carries it out."
    )


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
