"""Commands on runbooks: the library, the one that fits what is in front, runs, their transcripts."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.fleet import HostRow
from guardian_tui.protocol.runbooks import RunbookList, RunbookRow, RunbookRun
from guardian_tui.text import counted, safe
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog
from screens.reports import ReportDialog
from screens.runbook import RunbookScreen
from screens.runbook_run import StepScreen
from screens.runbooks import RunbooksScreen
from screens.transcript import TranscriptScreen
from widgets.runbooks_list import hosts_words


class RunbookCommands(CommandPart):
    """What can be done with runbooks."""

    def command_go_runbooks(self, arguments: tuple[str, ...]) -> None:
        """`g 7`, `:runbooks [FILTER]`."""
        self._go_list("runbooks", arguments)

    # --- where they are opened ------------------------------------------------------------------------

    def open_runbook(
        self,
        runbook_id: str,
        hosts: tuple[str, ...] = (),
        alert_id: str = "",
        values: dict[str, str] | None = None,
    ) -> None:
        """Open a runbook's page."""
        self._app.push_screen(RunbookScreen(runbook_id, hosts, alert_id, values))

    def open_runbook_run(self, run_id: str) -> None:
        """Open a run."""
        self._app.push_screen(StepScreen(run_id))

    def open_transcript(self, run_id: str, words: str = "") -> None:
        """Open a transcript, at some words of it."""
        self._app.push_screen(TranscriptScreen(run_id, words))

    def command_runbook_open(self, arguments: tuple[str, ...]) -> None:
        """`r`, `:runbook [RUNBOOK [HOST…] [NAME=VALUE…]]`: marked hosts carry over; of an alert, what answers its rule."""
        app = self._app
        rows, alerts = self._subjects()
        hosts = tuple(row.name for row in rows)
        # a host's page has its alerts in front as well: all of them are looked at then
        alert = alerts[0] if alerts and not rows and alerts[0].state == "firing" else None
        if arguments:
            row = self._runbook_named(arguments[0])
            if row is None:
                return
            named = tuple(word for word in arguments[1:] if "=" not in word)
            values = dict(word.partition("=")[::2] for word in arguments[1:] if "=" in word)
            fits = alert if alert is not None and not named and alert.rule in row.rules else None
            self._open_usable(row, named or (() if fits else hosts), fits.id if fits else "", values)
            return
        if isinstance(app.screen, RunbooksScreen):
            row = app.screen.runbook
            if row is None:
                app.say("Put the cursor on a runbook first, or name one.", severity="warning")
            else:
                self._open_usable(row, (), "", {})
            return
        self._offer_runbooks(rows, alert)

    def _runbook_named(self, name: str) -> RunbookRow | None:
        rows = self._app.world.runbooks
        if name in rows:
            return rows[name]
        near = [row for row in rows.values() if name.lower() in f"{row.id} {row.title}".lower()]
        if len(near) == 1:
            return near[0]
        words = f": {', '.join(row.id for row in near[:6])}" if near else ""
        self._app.say(f"There is no runbook {name!r}{words}.", severity="error")
        return None

    def _open_usable(
        self, row: RunbookRow, hosts: tuple[str, ...], alert_id: str, values: dict[str, str]
    ) -> None:
        if row.problems:
            self._tell_problems(row)
        else:
            self.open_runbook(row.id, hosts, alert_id, values)

    def _offer_runbooks(self, rows: list[HostRow], alert: Alert | None) -> None:
        """Those that fit first: what answers the alert, else what answers an alert of one of the hosts; then all."""
        app, world = self._app, self._app.world
        hosts = tuple(row.name for row in rows)
        fitting: dict[str, Alert] = {}
        for one in (
            [alert]
            if alert
            else [one for row in rows for one in world.alerts_of(row.id) if one.state == "firing"]
        ):
            for row in world.runbooks_for(one.rule):
                fitting.setdefault(row.id, one)
        usable = [row for row in world.runbooks.values() if not row.problems]
        if not usable:
            app.say("There is no runbook yet: write one into the folder of runbooks.", severity="warning")
            return

        def picked(id: str | None) -> None:
            if id is None:
                return
            answers = fitting.get(id)
            # one host's alert fills the values in; of several marked hosts the marks say where
            if answers is not None and len(hosts) <= 1:
                self.open_runbook(id, (), answers.id)
            else:
                where = hosts or ((alert.host,) if alert is not None and alert.host else ())
                self.open_runbook(id, where)

        if alert is not None and len(fitting) == 1:
            picked(next(iter(fitting)))
            return
        ordered = sorted(usable, key=lambda row: (row.id not in fitting, row.title))
        choices = [
            (
                row.id,
                row.title,
                f"answers {fitting[row.id].title}"
                if row.id in fitting
                else row.summary or ", ".join(row.rules),
            )
            for row in ordered
        ]
        where = (
            safe(hosts[0], 60)
            if len(hosts) == 1
            else f"{len(hosts)} hosts"
            if hosts
            else safe(alert.title, 60)
            if alert
            else ""
        )
        app.push_screen(ChoiceDialog(f"run a runbook{': ' + where if where else ''}", choices), picked)

    # --- the library ----------------------------------------------------------------------------------

    def command_runbook_problems(self, arguments: tuple[str, ...]) -> None:
        """`W`."""
        screen = self._app.screen
        row = (
            self._runbook_named(arguments[0])
            if arguments
            else screen.runbook
            if isinstance(screen, RunbooksScreen)
            else None
        )
        if row is not None:
            self._tell_problems(row)

    def _tell_problems(self, row: RunbookRow) -> None:
        if not row.problems:
            self._app.say(f"{row.title} is well.")
            return
        lines = [(row.file, "muted"), ("", ""), *((words, "error") for words in row.problems)]
        lines += [("", ""), ("`guardian-tui runbooks lint FILE` says the same where it is written.", "muted")]
        self._app.push_screen(ReportDialog(f"{row.title or row.file} can't be run", lines))

    def command_runbooks_reload(self, arguments: tuple[str, ...]) -> None:
        """`u`."""
        self._app.order(
            "runbooks.reload",
            RunbookList,
            Nothing(),
            lambda found: self._app.say(
                f"{counted(len(found.runbooks), 'runbook is', 'runbooks are')} read."
            ),
        )

    def command_runbooks_find(self, arguments: tuple[str, ...]) -> None:
        """`f`, `:find WORDS`."""
        app = self._app

        def entered(words: str | None) -> None:
            if words is None:
                return
            if len(words.strip()) < 2:
                app.say("Two characters at least.", severity="warning")
                return
            app.go("runbooks")
            app.call_after_refresh(self._find, words.strip())

        if arguments:
            entered(" ".join(arguments))
        else:
            app.push_screen(
                TextDialog("find in all runs", "Which words? In output, commands and answers."), entered
            )

    def _find(self, words: str) -> None:
        if isinstance(self._app.screen, RunbooksScreen):
            self._app.screen.find(words)

    def command_runbook_transcript(self, arguments: tuple[str, ...]) -> None:
        """`t`, `:transcript [RUN]`."""
        screen = self._app.screen
        run_id = arguments[0] if arguments else screen.run_id if isinstance(screen, RunbooksScreen) else ""
        if run_id:
            self.open_transcript(run_id)
        else:
            self._app.say("Put the cursor on a run first, or name one.", severity="warning")

    # --- what asks for a person -----------------------------------------------------------------------

    def tell_approval(self, run: RunbookRun) -> None:
        """A run waits for an approval: whoever may give it is told."""
        session = self._app.session
        if (
            session is None
            or "runbooks.approve" not in session.permissions
            or session.account in (run.by, run.leader)
        ):
            return
        where = run.hosts[0] if run.hosts_count == 1 and run.hosts else counted(run.hosts_count, "host")
        self._app.say(
            f"{run.title} on {where}, led by {run.leader}. :approvals opens it.",
            severity="warning",
            title="an approval is asked of you",
        )

    def tell_judged(self, run: RunbookRun) -> None:
        """Somebody has approved or refused a run: whoever leads or began it is told, unless they look at it."""
        app, session, last = self._app, self._app.session, max(run.approvals, key=lambda one: one.at)
        looks = isinstance(app.screen, StepScreen) and app.screen.run_id == run.id
        if session is None or session.account not in (run.by, run.leader) or looks:
            return
        what, note = (
            f"{run.title} on {hosts_words(run.hosts, run.hosts_count)}",
            f" {last.note}" if last.note else "",
        )
        given = sum(one.ok and not one.void for one in run.approvals)
        if not last.ok:
            app.say(
                f"{what}.{note} :runbooks opens it: decide how it goes on.",
                severity="warning",
                title=f"refused by {last.by}",
            )
        elif run.asked == "approve":
            app.say(
                f"{what}: {given} of {run.quorum} have approved it.{note}", title=f"approved by {last.by}"
            )
        else:
            goes = "goes on by itself" if run.auto else "can go on"
            app.say(f"{what} {goes}.{note} :runbooks opens it.", title=f"approved by {last.by}")

    def tell_handed(self, run: RunbookRun) -> None:
        """Another person leads a run: who led it, and to whom it was handed, are told."""
        session = self._app.session
        if session is None:
            return
        what = f"{run.title} on {hosts_words(run.hosts, run.hosts_count)}"
        if run.leader == session.account and not run.taken:
            self._app.say(
                f"{what}. :runbooks opens it, with all that runs.",
                severity="warning",
                title=f"{run.led_before} hands a run over to you",
            )
        elif run.led_before == session.account and run.taken:
            self._app.say(f"{what}, which you led.", severity="warning", title=f"{run.leader} leads it now")
