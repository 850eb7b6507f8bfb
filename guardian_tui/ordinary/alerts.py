"""Commands on alerts: take them, silence them."""

from __future__ import annotations

from guardian_tui.moments import parse_duration
from guardian_tui.ordinary.part import DEFAULT_SILENCE_SECONDS, CommandPart, clock_words
from guardian_tui.ordinary.reaching import what_is_silent
from guardian_tui.protocol.alerts import Acknowledge, AddSilence, Alert, Silence
from guardian_tui.text import safe
from screens.dialogs import TextDialog


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
        for alert in alerts:
            words = f"{alert.title} on {alert.host or 'the engine'}: {'given back' if undo else 'yours'}."
            app.order(
                "alerts.acknowledge",
                Alert,
                Acknowledge(
                    alert=alert.id, note=" ".join(arguments), undo=undo, taken_from=alert.acknowledged_by
                ),
                words,
            )

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

        def done(silence: Silence) -> None:
            app.say(
                f"{what_is_silent(silence)}: silent until {clock_words(silence.until)}; :silences ends it."
            )

        def entered(text: str | None) -> None:
            if text is None:
                return
            words = text.split()
            seconds = parse_duration(words[0]) if words else None
            if words and seconds is None and words[0][0].isdigit():
                app.say(f"{words[0]} is no duration; write 30m, 2h or 1d.", severity="error")
                return
            reason = " ".join(words[1:] if seconds else words)
            for rule, host, instance in about:
                order = AddSilence(
                    rule=rule,
                    host=host,
                    instance=instance,
                    reason=reason,
                    seconds=seconds or DEFAULT_SILENCE_SECONDS,
                )
                app.order("silences.add", Silence, order, done)

        if arguments:
            entered(" ".join(arguments))
        else:
            what = f"{alerts[0].title} on {alerts[0].host}" if len(alerts) == 1 else f"{len(alerts)} alerts"
            if not alerts:
                what = (
                    f"all alerts of {hosts[0].name if len(hosts) == 1 else f'{len(hosts)} hosts'}, beforehand"
                )
            app.push_screen(
                TextDialog("silence", f"{safe(what, 200)}: for how long, and why?", "1h "), entered
            )
