"""What a person answers a run: one method per command of the registry, mixed into its screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import (
    Act,
    AnswerRunbook,
    ApproveRunbook,
    HandOver,
    RunbookPreview,
    RunbookRun,
    RunbookRunRef,
    StopRunbook,
)
from guardian_tui.text import safe
from screens.ask_pane import AskPane
from screens.choice import ChoiceDialog
from screens.dialogs import ConfirmDialog, TextDialog
from screens.runbook_preview import PreviewDialog
from widgets.runbook_asks import acts_of, decide_title

if TYPE_CHECKING:
    from screens.runbook_run import StepScreen

_REFUSED = "{} can't have this value: "
"""How the engine begins; beside the field its name says nothing."""


class RunAnswers:
    """Answers of a person to the run in front of them."""

    sending: bool

    @property
    def _screen(self) -> StepScreen:
        return self  # type: ignore[return-value]  # mixed into it, and into nothing else

    # --- sending ----------------------------------------------------------------------------------

    def _send(self, route: str, order: Any) -> None:  # Any: an order of one of the routes of runs
        """One at a time; who comes second is told by the engine that the run has gone on."""
        if self.sending:
            return
        self.sending = True
        self._screen.run_worker(self._sent(route, order), group="answers", exit_on_error=False)

    async def _sent(self, route: str, order: Any) -> None:  # Any: as above
        screen = self._screen
        try:
            run = await screen.console.ask(route, RunbookRun, order)
        except GuardianError as error:
            if error.field and self._typed_in(error):
                screen.query_one(AskPane).refuse(error.detail.removeprefix(_REFUSED.format(error.field)))
            else:
                screen.console.say_error(error)
            screen.read()
        else:
            screen.take(run)
        finally:
            self.sending = False

    def _typed_in(self, error: GuardianError) -> bool:
        """Whether what is at fault stands in the field in front."""
        run = self._screen.run
        if run is None or run.asked not in ("input", "type", "undo") or run.current is None:
            return False
        variable = run.current.step.variable
        return error.field in ("typed", "value", variable.name if variable is not None else "")

    def _answer(self, act: Act, **more: Any) -> None:  # Any: fields of the answer
        run = self._screen.run
        if run is not None:
            self._send(
                "runbooks.answer",
                AnswerRunbook(run=run.id, version=run.version, act=act, step=run.step, **more),
            )

    def _ready(self) -> RunbookRun | None:
        """The run, if what it asks has been seen."""
        return self._screen.run if self._screen.ready else None

    def _with_secrets(self, run: RunbookRun, act: Act, **more: Any) -> None:  # Any: fields of the answer
        """Ask for values that are in nobody's memory any more, then answer."""
        commands = run.current.commands if run.current else ()
        missing = list(dict.fromkeys(name for command in commands for name in command.missing))
        secrets: dict[str, str] = {}

        def next_one() -> None:
            if len(secrets) == len(missing):
                self._answer(act, secrets=secrets, **more)
                return
            name = missing[len(secrets)]

            def entered(value: str | None) -> None:
                if value:
                    secrets[name] = value
                    next_one()

            words = f"{safe(name, 60)} has no value: secrets are kept in memory alone, and the engine was started anew. Give it again."
            needed = "It can't be empty."
            self._screen.console.push_screen(
                TextDialog("a secret", words, secret=True, needed=needed), entered
            )

        next_one()

    # --- what is asked ----------------------------------------------------------------------------

    def command_runbook_go(self, arguments: tuple[str, ...]) -> None:
        """`⏎`: do what is asked."""
        screen, run = self._screen, self._ready()
        if run is None:
            return
        pane = screen.query_one(AskPane)
        if run.asked == "choose":
            self._answer("go", choice=pane.choice)
        elif run.asked == "decide":
            self._decide(run)
        elif pane.entry is not None:
            pane.entry.focus()
            screen.refresh_frame()
        elif run.asked == "undo":
            self._answer("undo")
        elif run.asked == "confirm":
            self._with_secrets(run, "go")

    def on_ask_pane_entered(self, event: AskPane.Entered) -> None:
        """What was typed, if it is what was asked for."""
        run = self._ready()
        if run is None:
            return
        if run.asked == "input":
            self._answer("go", value=event.value)
        elif event.value.strip() != run.phrase:
            words = f"Nothing has run: type {run.phrase} exactly, or esc and another key."
            self._screen.query_one(AskPane).refuse(words)
        else:
            self._with_secrets(run, "undo" if run.asked == "undo" else "go", typed=event.value.strip())

    def command_runbook_answer(self, arguments: tuple[str, ...]) -> None:
        """`1` … `9`, `:answer WORD`: an answer of a choice."""
        run = self._ready()
        if run is None or not arguments:
            return
        pane, word = self._screen.query_one(AskPane), arguments[0]
        answers = [one.answer for one in run.current.step.options] if run.current is not None else []
        if word in answers:
            self._answer("go", choice=word)
        elif word.isdigit() and pane.point_at(int(word)):
            self._answer("go", choice=pane.choice)
        elif run.asked == "choose":
            pane.refuse(f"There is no answer {word}: 1 to {len(answers)}, or {', '.join(answers)}.")

    def on_key(self, event: events.Key) -> None:
        """A digit answers a choice."""
        run = self._screen.run
        if run is not None and run.asked == "choose" and event.key.isdigit():
            event.stop()
            self.command_runbook_answer((event.key,))

    def command_runbook_option_up(self, arguments: tuple[str, ...]) -> None:
        """`↑`."""
        self._screen.query_one(AskPane).point(-1)

    def command_runbook_option_down(self, arguments: tuple[str, ...]) -> None:
        """`↓`."""
        self._screen.query_one(AskPane).point(1)

    def _decide(self, run: RunbookRun) -> None:
        handlers = {
            "retry": self.command_runbook_retry, "accept": self.command_runbook_accept, "skip": self.command_runbook_skip,
            "back": self.command_runbook_previous, "rollback": self.command_runbook_rollback, "stop": self.command_runbook_stop,
        }  # fmt: skip

        def picked(act: str | None) -> None:
            if act is not None:
                handlers[act](())

        self._screen.console.push_screen(ChoiceDialog(decide_title(run), acts_of(run)), picked)

    # --- other ways -------------------------------------------------------------------------------

    def _with_reason(self, act: Act, arguments: tuple[str, ...], title: str, words: str) -> None:
        """An answer for which a reason is asked."""
        run = self._ready()
        if run is None or act not in run.acts:
            return

        def entered(reason: str | None) -> None:
            if reason is None:
                return
            self._answer(act, reason=reason.strip())

        if arguments:
            entered(" ".join(arguments))
        else:
            needed = "Say why: it stands in the transcript."
            self._screen.console.push_screen(TextDialog(title, words, needed=needed), entered)

    def command_runbook_skip(self, arguments: tuple[str, ...]) -> None:
        """`k`."""
        self._with_reason("skip", arguments, "skip this step", "Why? It stands in the transcript.")

    def command_runbook_accept(self, arguments: tuple[str, ...]) -> None:
        """`a`."""
        self._with_reason(
            "accept",
            arguments,
            "take the step as done",
            "Why is it well after all? It stands in the transcript.",
        )

    def command_runbook_retry(self, arguments: tuple[str, ...]) -> None:
        """`r`."""
        run = self._ready()
        if run is not None and "retry" in run.acts:
            self._answer("retry")

    def command_runbook_previous(self, arguments: tuple[str, ...]) -> None:
        """`b`."""
        run = self._ready()
        if run is not None and "back" in run.acts:
            self._answer("back")

    def command_runbook_pause(self, arguments: tuple[str, ...]) -> None:
        """`p`: no further host is begun; again goes on."""
        run = self._screen.run
        if run is not None and ("pause" in run.acts or "resume" in run.acts):
            self._answer("resume" if "resume" in run.acts else "pause")

    def command_runbook_rollback(self, arguments: tuple[str, ...]) -> None:
        """`u`."""
        run = self._ready()
        if run is None or "rollback" not in run.acts:
            return
        names = [mark.step for mark in reversed(run.marks) if mark.undo]
        if run.current is not None and run.current.undo and run.state == "paused" and run.step not in names:
            # it was left in the middle: what it did so far is taken back too
            names.insert(0, run.step)
        steps = [safe(name, 60) for name in names]
        lines = ["What was done is taken back in reverse, and each step asks before it does:", "", *steps]

        def answered(yes: bool | None) -> None:
            if yes:
                self._answer("rollback")

        self._screen.console.push_screen(ConfirmDialog("roll back", lines), answered)

    def command_runbook_stop(self, arguments: tuple[str, ...]) -> None:
        """`x`."""
        run = self._screen.run
        if run is None or "stop" not in run.acts:
            return
        running = "What runs now is ended. " if run.state == "running" else ""
        opened = " What it opened is closed." if run.open else ""

        def entered(reason: str | None) -> None:
            if reason is not None:
                self._send("runbooks.stop", StopRunbook(run=run.id, reason=reason.strip()))

        if arguments:
            entered(" ".join(arguments))
            return
        words = f"{running}Nothing more is begun, and what was done stays done.{opened} Why?"
        self._screen.console.push_screen(TextDialog("stop the run", words), entered)

    # --- people -----------------------------------------------------------------------------------

    def command_runbook_hand(self, arguments: tuple[str, ...]) -> None:
        """`h`: to whom is asked."""
        run = self._screen.run
        if run is None or run.state == "ended":
            return
        if arguments:
            self._hand_to(run, arguments[0])
            return

        def entered(name: str | None) -> None:
            if name is not None:
                self._hand_to(run, name.strip())

        words = f"{safe(run.leader, 60)} leads. Who shall go on? A name; nothing takes it yourself."
        self._screen.console.push_screen(TextDialog("hand over", words), entered)

    def _hand_to(self, run: RunbookRun, name: str) -> None:
        self._send("runbooks.hand_over", HandOver(run=run.id, to=name))

    def command_runbook_approve(self, arguments: tuple[str, ...]) -> None:
        """`y`: what is shown, and nothing else."""
        self._judge(arguments, ok=True)

    def command_runbook_refuse(self, arguments: tuple[str, ...]) -> None:
        """`n`."""
        self._judge(arguments, ok=False)

    def _judge(self, arguments: tuple[str, ...], *, ok: bool) -> None:
        run = self._ready()
        if run is None or run.asked != "approve" or not run.digest:
            return

        def entered(note: str | None) -> None:
            if note is not None:
                order = ApproveRunbook(
                    run=run.id, version=run.version, digest=run.digest, ok=ok, note=note.strip()
                )
                self._send("runbooks.approve", order)

        if arguments:
            entered(" ".join(arguments))
            return
        words = (
            "It holds for what you were shown, and for nothing else. A note?"
            if ok
            else "The run then fails at this step. Why?"
        )
        self._screen.console.push_screen(TextDialog("approve" if ok else "refuse", words), entered)

    # --- before it is done ------------------------------------------------------------------------

    def command_runbook_preview(self, arguments: tuple[str, ...]) -> None:
        """`d`: what would run from here on, as things are now."""
        screen, run = self._screen, self._screen.run
        if run is None or run.state == "ended":
            return

        def shown(preview: RunbookPreview) -> None:
            screen.console.push_screen(PreviewDialog(preview))

        screen.console.order("runbooks.preview", RunbookPreview, RunbookRunRef(run=run.id), shown)
