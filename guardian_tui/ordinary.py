"""What the commands of the registry do on every screen: one method per command, named after it."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from guardian_tui.commands import GLOBAL, parse_duration, shown_key
from guardian_tui.protocol.access import GrantSpec, Invite, Invited
from guardian_tui.protocol.alerts import Acknowledge, AddSilence, Alert, Silence
from guardian_tui.protocol.audit import AuditVerdict
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.fleet import (
    Answer,
    DoctorReport,
    EditHost,
    HostDetail,
    HostRef,
    HostRow,
    HostSpec,
    ImportPreview,
    ImportRequest,
    Maintenance,
    Question,
    RemoveHost,
)
from guardian_tui.protocol.system import Shutdown
from guardian_tui.text import json_safe, safe
from screens.base import GuardianScreen
from screens.dialogs import ConfirmDialog, TextDialog
from screens.edit_host import EditHostDialog
from screens.reports import ReportDialog

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

DEFAULT_SILENCE_SECONDS = 3600.0
MOST_FOUND = 200


class OrdinaryCommands:
    """Mixed into the app: the commands that screens leave to it."""

    farewell = ""
    """Printed after the screen is given back."""

    @property
    def _app(self) -> GuardianApp:
        return self  # type: ignore[return-value]  # mixed into it, and into nothing else

    def _subjects(self) -> tuple[list[HostRow], list[Alert]]:
        """Hosts and alerts that a command acts on now."""
        app = self._app
        screen = app.screen
        host_ids, alert_ids = screen.subjects if isinstance(screen, GuardianScreen) else ((), ())
        hosts = [app.world.hosts[id] for id in host_ids if id in app.world.hosts]
        return hosts, [app.world.alerts[id] for id in alert_ids if id in app.world.alerts]

    def _host(self, arguments: tuple[str, ...]) -> HostRow | None:
        """The host named, or the one in front."""
        app = self._app
        if arguments:
            row = app.world.host_named(arguments[0])
            if row is None:
                app.say(f"There is no host {arguments[0]}.", severity="error")
            return row
        hosts, _ = self._subjects()
        if not hosts:
            app.say("Put the cursor on a host first, or name one.", severity="warning")
            return None
        return hosts[0]

    # --- where to go -----------------------------------------------------------------------------

    def command_go_fleet(self, arguments: tuple[str, ...]) -> None:
        """`g 1`, `:hosts [FILTER]`."""
        self._app.go("fleet")
        if arguments:
            self._app.call_after_refresh(self._filter_here, " ".join(arguments))

    def command_go_alerts(self, arguments: tuple[str, ...]) -> None:
        """`g 2`, `:alerts [FILTER]`."""
        self._app.go("alerts")
        if arguments:
            self._app.call_after_refresh(self._filter_here, " ".join(arguments))

    def command_go_audit(self, arguments: tuple[str, ...]) -> None:
        """`g 4`, `:audit [FILTER]`."""
        self._app.go("audit")
        if arguments:
            self._app.call_after_refresh(self._filter_here, " ".join(arguments))

    def _filter_here(self, text: str) -> None:
        if isinstance(self._app.screen, GuardianScreen):
            self._app.screen.filter_typed(text, done=True)

    def command_go_host(self, arguments: tuple[str, ...]) -> None:
        """`:host HOST`."""
        row = self._host(arguments)
        if row is not None:
            self._app.open_host(row.id)

    def command_last(self, arguments: tuple[str, ...]) -> None:
        """`-`."""
        self._app.go_last()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """`esc` where a screen does nothing of its own with it."""

    # --- hosts -------------------------------------------------------------------------------------

    def command_host_add(self, arguments: tuple[str, ...]) -> None:
        """`n`, `:add [NAME [ADDRESS]]`."""
        name, address = (*arguments, "", "")[:2]

        def entered(spec: HostSpec | None) -> None:
            if spec is not None:
                self._app.order(
                    "hosts.add",
                    HostRow,
                    spec,
                    lambda row: self._app.say(f"{row.name} is watched from now on."),
                )

        self._app.push_screen(EditHostDialog(name=name, address=address), entered)

    def command_host_edit(self, arguments: tuple[str, ...]) -> None:
        """`e`."""
        row = self._host(arguments)
        if row is not None:
            self._app.order("hosts.show", HostDetail, HostRef(host=row.id), self._edit)

    def _edit(self, detail: HostDetail) -> None:
        def entered(spec: HostSpec | None) -> None:
            if spec is not None:
                order = EditHost(host=detail.row.id, spec=spec)
                self._app.order(
                    "hosts.edit", HostRow, order, lambda row: self._app.say(f"{row.name} is changed.")
                )

        self._app.push_screen(EditHostDialog(detail.spec), entered)

    def command_host_remove(self, arguments: tuple[str, ...]) -> None:
        """`del`."""
        row = self._host(arguments)
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.order(
                    "hosts.remove", Done, RemoveHost(host=row.id), f"{row.name} is no longer watched."
                )

        lines = [
            f"{safe(row.name, 253)} is no longer watched, and its alerts end.",
            "Its history stays until retention ends it.",
        ]
        self._app.push_screen(ConfirmDialog("stop watching", lines, typed=row.name), answered)

    def command_host_test(self, arguments: tuple[str, ...]) -> None:
        """`t`."""
        row = self._host(arguments)
        if row is not None:
            self._app.say(f"Testing the way to {row.name}…")
            self._app.order(
                "hosts.test",
                DoctorReport,
                HostRef(host=row.id),
                lambda report: self._show_report(row, report),
            )

    def _show_report(self, row: HostRow, report: DoctorReport) -> None:
        lines = [
            (
                f"{'✓' if step.ok else '✗'} {step.name:<16} {safe(step.words, 300)}  ({step.seconds * 1000:.0f} ms)",
                "good" if step.ok else "error",
            )
            for step in report.steps
        ]
        if report.advice:
            lines += [("", ""), (report.advice, "strong")]
        self._app.push_screen(ReportDialog(f"the way to {safe(row.name, 60)}", lines))

    def command_host_answer(self, arguments: tuple[str, ...]) -> None:
        """`k`: the question of the host in front, else the oldest one."""
        app = self._app
        hosts, _ = self._subjects()
        row = app.world.host_named(arguments[0]) if arguments else hosts[0] if hosts else None
        question = app.world.question_of(row.id) if row else None
        question = question or (None if arguments else next(iter(app.world.questions.values()), None))
        if question is None:
            app.say("No host waits for an answer.")
        elif question.kind in ("host_key", "changed_key"):
            self._ask_key(question)
        else:
            self._ask_secret(question)

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

    def command_host_maintenance(self, arguments: tuple[str, ...]) -> None:
        """`w`, `:maintenance [DURATION] [REASON]`: begins, or ends what is on."""
        app = self._app
        hosts, _ = self._subjects()
        if not hosts:
            app.say("Put the cursor on a host first.", severity="warning")
            return
        seconds = parse_duration(arguments[0]) if arguments else None
        reason = " ".join(arguments[1:] if seconds else arguments)
        for row in hosts:
            on = row.state == "maintenance"
            until = None if on and not arguments else app.world.now() + (seconds or DEFAULT_SILENCE_SECONDS)
            words = f"{row.name}: planned work {'ended' if until is None else 'until ' + _clock(until)}."
            app.order(
                "hosts.maintenance", HostRow, Maintenance(host=row.id, until=until, reason=reason), words
            )

    def command_host_import(self, arguments: tuple[str, ...]) -> None:
        """`i`."""
        self.offer_import()

    def offer_import(self) -> None:
        """Show what ~/.ssh/config and known_hosts hold, and add it if that is wanted."""
        texts = {}
        for name in ("config", "known_hosts"):
            try:
                texts[name] = (
                    Path("~/.ssh").expanduser().joinpath(name).read_text(encoding="utf-8", errors="replace")
                )
            except OSError:
                texts[name] = ""
        if not texts["config"].strip():
            self._app.say("There is no ~/.ssh/config to import from. n adds a host by hand.")
            return
        request = ImportRequest(
            ssh_config=texts["config"][:1_000_000], known_hosts=texts["known_hosts"][:8_000_000]
        )
        self._app.order("hosts.import", ImportPreview, request, lambda preview: self._offer(request, preview))

    def _offer(self, request: ImportRequest, preview: ImportPreview) -> None:
        new = [found for found in preview.found if not found.exists]
        lines = [(f"{len(new)} new hosts of {len(preview.found)} in ~/.ssh/config", "strong"), ("", "")]
        for found in preview.found[:MOST_FOUND]:
            spec = found.spec
            way = f"{spec.user + '@' if spec.user else ''}{spec.address or spec.name}:{spec.port}" + (
                f" through {', '.join(spec.jump)}" if spec.jump else ""
            )
            note = (
                "is there already"
                if found.exists
                else "its key is known"
                if found.pinned
                else "its key will be asked for"
            )
            lines.append(
                (f"{safe(spec.name, 40):<24} {safe(way, 80)} · {note}", "muted" if found.exists else "")
            )
            if found.unsupported:
                lines.append((f"    not supported: {safe(', '.join(found.unsupported), 200)}", "error"))
        lines += [(safe(problem, 200), "error") for problem in preview.problems[:20]]

        def answered(yes: bool | None) -> None:
            if yes:
                order = msgspec.structs.replace(request, names=tuple(found.spec.name for found in new))
                self._app.order(
                    "hosts.import",
                    ImportPreview,
                    order,
                    lambda done: self._app.say(f"{done.added} hosts added, {done.pins} keys pinned."),
                )

        self._app.push_screen(
            ReportDialog("hosts to watch", lines, accept="watch them" if new else ""), answered
        )

    # --- alerts ------------------------------------------------------------------------------------

    def _alerts_in_front(self) -> list[Alert]:
        hosts, alerts = self._subjects()
        firing = [alert for alert in alerts if alert.state == "firing"]
        return firing or [
            alert for row in hosts for alert in self._app.world.alerts_of(row.id) if alert.state == "firing"
        ]

    def command_alert_acknowledge(self, arguments: tuple[str, ...]) -> None:
        """`a`, `:ack [NOTE]`: the alerts in front; taken back if all are mine already."""
        app, alerts = self._app, self._alerts_in_front()
        if not alerts:
            app.say("No alert fires here.", severity="warning")
            return
        me = app.session.account if app.session else ""
        undo = not arguments and all(alert.acknowledged_by == me for alert in alerts)
        for alert in alerts:
            words = f"{alert.title} on {alert.host or 'the engine'}: {'given back' if undo else 'yours'}."
            app.order(
                "alerts.acknowledge",
                Alert,
                Acknowledge(alert=alert.id, note=" ".join(arguments), undo=undo),
                words,
            )

    def command_alert_silence(self, arguments: tuple[str, ...]) -> None:
        """`s`, `:silence [DURATION] [REASON]`."""
        app, alerts = self._app, self._alerts_in_front()
        if not alerts:
            app.say("No alert fires here.", severity="warning")
            return

        def entered(text: str | None) -> None:
            if text is None:
                return
            words = text.split()
            seconds = parse_duration(words[0]) if words else None
            if words and seconds is None and words[0][0].isdigit():
                app.say(f"{words[0]} is no duration; write 30m, 2h or 1d.", severity="error")
                return
            reason = " ".join(words[1:] if seconds else words)
            for alert in alerts:
                order = AddSilence(
                    rule=alert.rule,
                    host=alert.host,
                    instance=alert.instance,
                    reason=reason,
                    seconds=seconds or DEFAULT_SILENCE_SECONDS,
                )
                app.order(
                    "silences.add",
                    Silence,
                    order,
                    lambda silence: app.say(f"Silent until {_clock(silence.until)}."),
                )

        if arguments:
            entered(" ".join(arguments))
        else:
            what = f"{alerts[0].title} on {alerts[0].host}" if len(alerts) == 1 else f"{len(alerts)} alerts"
            app.push_screen(
                TextDialog("silence", f"{safe(what, 200)}: for how long, and why?", "1h "), entered
            )

    def command_audit_verify(self, arguments: tuple[str, ...]) -> None:
        """`V` on the fleet screen."""
        self.verify_audit()

    def verify_audit(self) -> None:
        """Check the whole chain."""
        self._app.say("Checking every event…")

        def done(verdict: AuditVerdict) -> None:
            self._app.say(
                verdict.words,
                severity="information" if verdict.ok else "error",
                title="the chain holds" if verdict.ok else "THE CHAIN IS BROKEN",
            )

        self._app.order("audit.verify", AuditVerdict, None, done)

    # --- the screen itself ---------------------------------------------------------------------------

    def command_palette(self, arguments: tuple[str, ...]) -> None:
        """`^p`."""
        self._app.action_command_palette()

    def command_help(self, arguments: tuple[str, ...]) -> None:
        """`?`: from the registry."""
        context = getattr(self._app.screen, "CONTEXT", "")
        lines: list[tuple[str, str]] = []
        for title, here in ((f"on this screen ({context})", True), ("everywhere", False)):
            lines.append((title, "strong"))
            for command in self._app.offered(context):
                if (GLOBAL not in command.where) == here:
                    keys = " ".join(shown_key(key) for key in command.keys)
                    words = f":{command.words[0]} {command.arguments}".strip() if command.words else ""
                    lines.append((f"{keys:<9} {words:<32} {command.title}", ""))
                    lines.append((f"{'':<42} {command.help}", "muted"))
            lines.append(("", ""))
        self._app.push_screen(ReportDialog("help", lines))

    def command_theme(self, arguments: tuple[str, ...]) -> None:
        """`:theme [NAME]`."""
        app = self._app
        if arguments and arguments[0] not in app.themes.themes:
            app.say(
                f"There is no theme {arguments[0]}; there are {', '.join(app.themes.themes)}.",
                severity="error",
            )
            return
        app.theme = arguments[0] if arguments else app.themes.after(app.theme)

    def command_pause(self, arguments: tuple[str, ...]) -> None:
        """`p`."""
        self._app.toggle_pause()

    def command_save(self, arguments: tuple[str, ...]) -> None:
        """`^s`, `:save [csv|jsonl|svg]`."""
        app = self._app
        kind = arguments[0] if arguments else "csv" if hasattr(app.screen, "rows_shown") else "svg"
        rows: list[HostRow] = getattr(app.screen, "rows_shown", [])
        if kind not in ("csv", "jsonl", "svg"):
            app.say("What can be saved is csv, jsonl or svg.", severity="error")
            return
        if kind != "svg" and not rows:
            app.say("There is no list on this screen; :save svg saves the picture.", severity="warning")
            return
        folder = Path(platformdirs.user_documents_dir())
        folder = folder if folder.is_dir() else Path.home()
        path = folder / time.strftime(f"guardian-%Y%m%d-%H%M%S.{kind}")
        text = (
            app.export_screenshot() if kind == "svg" else _csv(rows) if kind == "csv" else _json_lines(rows)
        )
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            app.say(f"{path} can't be written: {error.strerror}.", severity="error")
        else:
            app.say(f"Saved to {path}.")

    # --- coming and going ------------------------------------------------------------------------------

    def command_lock(self, arguments: tuple[str, ...]) -> None:
        """`^l`."""
        self._app.order("session.lock", Done, None, lambda _: self._app.show_lock())

    def command_logout(self, arguments: tuple[str, ...]) -> None:
        """`:logout`."""
        self._app.order("logout", Done, None, lambda _: self._app.leave_to_login("You are logged out."))

    def command_invite(self, arguments: tuple[str, ...]) -> None:
        """`:invite NAME PROFILE [LABEL=VALUE…]`."""
        if len(arguments) < 2:
            self._app.say(
                "Write :invite NAME PROFILE, and labels to bound it to some hosts.", severity="warning"
            )
            return
        try:
            grant = GrantSpec(profile=arguments[1], scope=" ".join(arguments[2:]))
            order = msgspec.convert({"name": arguments[0], "grants": [msgspec.to_builtins(grant)]}, Invite)
        except msgspec.ValidationError as error:
            self._app.say_error(InvalidRequest(str(error)))
            return

        def done(invited: Invited) -> None:
            lines = [
                (f"{invited.account.name} enrols with this code, once, until {time.strftime('%Y-%m-%d', time.localtime(invited.expires_at))}:", ""),
                ("", ""), (invited.enrolment_code, "strong"), ("", ""), ("It is shown only now. ^n on the login screen begins.", "muted"),
            ]  # fmt: skip
            self._app.push_screen(ReportDialog("invited", lines))

        self._app.order("accounts.invite", Invited, order, done)

    def command_quit(self, arguments: tuple[str, ...]) -> None:
        """`q`."""
        hello = self._app.hello
        stays = (
            "It goes on watching."
            if hello and hello.lingering
            else "The engine goes on for 15 minutes; `guardian-tui engine start` keeps it."
        )
        self.farewell = stays
        self._app.run_worker(self._app.shut(), exit_on_error=False)

    def command_engine_stop(self, arguments: tuple[str, ...]) -> None:
        """`:stop-engine`."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.order(
                    "engine.stop", Done, Shutdown(reason="asked for on screen"), "The engine stops."
                )

        self._app.push_screen(
            ConfirmDialog(
                "stop the engine",
                ["No host is watched and nobody is told until it is started again."],
                typed="stop",
            ),
            answered,
        )


def _clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def _csv(rows: list[HostRow]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    names = [name for name in HostRow.__struct_fields__ if name not in ("cpu_points", "labels", "jump")]
    writer.writerow(names)
    for row in rows:
        # a cell that begins with = + - @ is a formula to a spreadsheet
        cells = [safe(str(value), 1000) for value in (getattr(row, name) for name in names)]
        writer.writerow(
            ["'" + cell if cell[:1] in "=+-@" and not _is_number(cell) else cell for cell in cells]
        )
    return out.getvalue()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _json_lines(rows: list[HostRow]) -> str:
    return "".join(json_safe(msgspec.json.encode(row)) + "\n" for row in rows)
