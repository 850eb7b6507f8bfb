"""Questions that hosts wait on: a key to accept, a pass phrase to give."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.fleet import Answer, Question
from guardian_tui.protocol.trust import AcceptKeys, AcceptReport, SeenKey
from guardian_tui.text import counted, in_order, safe
from screens.choosing import ChoiceDialog
from screens.dialogs import ConfirmDialog, TextDialog
from widgets.choice_list import Choice


class QuestionCommands(CommandPart):
    """Answers to hosts."""

    def command_host_answer(self, arguments: tuple[str, ...]) -> None:
        """`K`: the question of the host in front, else the oldest one."""
        app = self._app
        hosts, _ = self._subjects()
        asked = [question for row in hosts if (question := app.world.question_of(row.id))]
        if len(asked) > 1 and not arguments:
            self._ask_keys(asked)
            return
        row = app.world.host_named(arguments[0]) if arguments else hosts[0] if hosts else None
        question = app.world.question_of(row.id) if row else None
        question = question or (None if arguments else next(iter(app.world.questions.values()), None))
        if question is None:
            app.say("No host waits for an answer.")
        elif question.kind in ("host_key", "changed_key"):
            self._ask_key(question)
        else:
            self._ask_secret(question)

    def command_host_keys(self, arguments: tuple[str, ...]) -> None:
        """`:keys`: all new keys that wait to be accepted."""
        self._ask_keys(list(self._app.world.questions.values()))

    def _ask_keys(self, questions: list[Question]) -> None:
        """Many new keys as a list of fingerprints; one that changed wants an answer of its own."""
        keys = {q.id: q for q in questions if q.kind == "host_key"}
        if not keys:
            self._app.say("No new host waits for its key to be accepted.")
            return
        choices = [
            Choice(q.id, "?", f"{q.host:<28} {q.algorithm}  {q.fingerprint}", about=(q.words,))
            for q in sorted(keys.values(), key=lambda q: in_order(q.host))
        ]

        def chosen(ids: tuple[str, ...] | None) -> None:
            if ids:
                seen = tuple(SeenKey(question=id, fingerprint=keys[id].fingerprint) for id in ids)
                self._app.order(
                    "questions.accept", AcceptReport, AcceptKeys(keys=seen, count=len(seen)), self._accepted
                )

        self._app.push_screen(
            ChoiceDialog(counted(len(keys), "new host key"), choices, "accept", count=True), chosen
        )

    def _accepted(self, report: AcceptReport) -> None:
        self._app.say(f"{counted(len(report.accepted), 'key')} pinned.")
        if report.refused:
            first = report.refused[0]
            self._app.say(
                f"{len(report.refused)} not accepted; {first.host}: {first.why}.", severity="warning"
            )

    def _ask_key(self, question: Question) -> None:
        lines = [safe(question.words, 300), "", f"host         {safe(question.host, 200)}", f"key          {safe(question.algorithm, 60)}",
                 f"fingerprint  {question.fingerprint}"]  # fmt: skip
        if question.pinned_fingerprint:
            lines.append(f"pinned       {question.pinned_fingerprint}")

        def answered(yes: bool | None) -> None:
            if yes:
                order = Answer(question=question.id, accept=True, fingerprint=question.fingerprint)
                self._app.order("questions.answer", Done, order, f"The key of {question.host} is pinned.")

        changed = question.kind == "changed_key"
        title = "THE HOST KEY HAS CHANGED" if changed else "accept this host key?"
        self._app.push_screen(ConfirmDialog(title, lines, typed=question.host if changed else ""), answered)

    def _ask_secret(self, question: Question) -> None:
        def entered(secret: str | None) -> None:
            if secret:
                order = Answer(question=question.id, accept=True, secret=secret, keep=True)
                self._app.order("questions.answer", Done, order, f"Kept in the vault for {question.host}.")

        self._app.push_screen(TextDialog(question.kind, safe(question.words, 300), secret=True), entered)
