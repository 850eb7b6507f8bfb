"""Commands on alerts: take them, silence them."""

from __future__ import annotations

from guardian_tui.moments import parse_duration
from guardian_tui.ordinary.part import DEFAULT_SILENCE_SECONDS, CommandPart, clock_words, named
from guardian_tui.ordinary.reaching import what_is_silent
from guardian_tui.protocol.alerts import Acknowledge, AddSilence, Alert, Silence
from guardian_tui.text import counted, safe
from screens.dialogs import ConfirmDialog, TextDialog


class AlertCommands(CommandPart):
    """Take an alert, or keep it quiet for a time."""

    def _alerts_in_front(self) -> list[Alert]:
        hosts, alerts = self._subjects()
        firing = [alert for alert in alerts if alert.state == "firing"]
        return firing or [
            alert for row in hosts for alert in self._app.world.alerts_of(row.id) if alert.state == "firing"
        ]

    def _none(self) -> None:
        """Say why there is none to act on."""
        hosts, alerts = self._subjects()
        if alerts:
            words = "It is over already: there is nothing left to take or to silence."
        elif len(hosts) == 1:
            words = f"No alert fires on {safe(hosts[0].name, 100)}: put the cursor on a host in trouble, or on an alert."
        else:
            words = "No alert fires here."
        self._app.say(words, severity="warning")

    def command_alert_acknowledge(self, arguments: tuple[str, ...]) -> None:
        """`a`, `:ack [NOTE]`: the alerts in front; taken back if all are mine already."""
        app, alerts = self._app, self._alerts_in_front()
        if not alerts:
            self._none()
            return
        me = app.session.account if app.session else ""
        undo = not arguments and all(alert.acknowledged_by == me for alert in alerts)
        orders = [
            (
                _about(alert),
                Acknowledge(
                    alert=alert.id, note=" ".join(arguments), undo=undo, taken_from=alert.acknowledged_by
                ),
            )
            for alert in alerts
        ]
        told = "given back" if undo else "yours"

        def done(taken: list[Alert]) -> str:
            what = _about(taken[0]) if len(taken) == 1 else counted(len(taken), "alert")
            return f"{what}: {told}."

        def answered(yes: bool | None) -> None:
            if yes:
                self._order_each("alerts.acknowledge", Alert, orders, done)

        if len(alerts) == 1:
            answered(True)
            return
        title = f"{'give back' if undo else 'acknowledge'} {len(alerts)} alerts?"
        app.push_screen(ConfirmDialog(title, named([about for about, _ in orders])), answered)

    def command_alert_silence(self, arguments: tuple[str, ...]) -> None:
        """`s`, `:silence [DURATION] [REASON]`: the alerts in front; hosts on which none fires, beforehand."""
        app, alerts = self._app, self._alerts_in_front()
        hosts, over = self._subjects()
        about = [(alert.rule, alert.host, alert.instance) for alert in alerts]
        if not alerts and hosts and not over:
            about = [("", row.name, "") for row in hosts]
        if not about:
            self._none()
            return

        def done(silences: list[Silence]) -> str:
            first = silences[0]
            what = what_is_silent(first) if len(silences) == 1 else counted(len(silences), "silence")
            ends = "ends it" if len(silences) == 1 else "ends them one by one"
            return f"{what}: silent until {clock_words(first.until)}; :silences {ends}."

        def entered(text: str | None) -> None:
            if text is None:
                return
            words = text.split()
            seconds = parse_duration(words[0]) if words else None
            if words and seconds is None and words[0][0].isdigit():
                app.say(f"{words[0]} is no duration; write 30m, 2h or 1d.", severity="error")
                return
            reason = " ".join(words[1:] if seconds else words)
            lasts = seconds or DEFAULT_SILENCE_SECONDS
            orders = [
                (
                    f"{rule or 'all alerts'} on {host or 'all hosts'}",
                    AddSilence(rule=rule, host=host, instance=instance, reason=reason, seconds=lasts),
                )
                for rule, host, instance in about
            ]
            self._order_each("silences.add", Silence, orders, done)

        if arguments and len(about) == 1:
            entered(" ".join(arguments))
        else:
            what = f"{alerts[0].title} on {alerts[0].host}" if len(alerts) == 1 else f"{len(alerts)} alerts"
            if not alerts:
                what = (
                    f"all alerts of {hosts[0].name if len(hosts) == 1 else f'{len(hosts)} hosts'}, beforehand"
                )
            app.push_screen(
                TextDialog(
                    "silence", f"{safe(what, 200)}: for how long, and why?", " ".join(arguments) or "1h "
                ),
                entered,
            )


def _about(alert: Alert) -> str:
    """An alert in words: ``disk low /var on web-1``."""
    return f"{' '.join(filter(None, (alert.title, alert.instance)))} on {alert.host or 'the engine'}"
