"""Who is told of alerts, and for how long nobody is: silences, rules in force, ways to reach people."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.alerts import (
    Channel,
    ChannelList,
    EndSilence,
    Rule,
    RuleList,
    Silence,
    TestChannel,
)
from guardian_tui.protocol.base import Done
from guardian_tui.text import safe
from screens.choice import ChoiceDialog
from screens.dialogs import ConfirmDialog
from screens.reports import ReportDialog
from widgets import figures


class ReachingCommands(CommandPart):
    """Lists of what decides whether anybody hears of an alert."""

    def command_silences(self, arguments: tuple[str, ...]) -> None:
        """`S` on the alerts, `:silences`: those that hold; one that is picked ends."""
        app, now = self._app, self._app.world.now()
        held = sorted(
            (one for one in app.world.silences.values() if one.until > now), key=lambda one: one.until
        )
        if not held:
            app.say("Nothing is silent. s silences an alert, or a host before its work begins.")
            return
        may = any(command.name == "alert.silence" for command in app.offered("alerts"))

        def picked(id: str | None) -> None:
            one = app.world.silences.get(id or "")
            if one is None or not may:
                return

            def answered(yes: bool | None) -> None:
                if yes:
                    order = EndSilence(silence=one.id)
                    app.order("silences.end", Done, order, f"The silence of {what_is_silent(one)} has ended.")

            lines = [
                f"{what_is_silent(one)} tells people again from now on.",
                f"{safe(one.by, 64)} silenced it: {safe(one.reason, 200) or 'no reason given'}.",
            ]
            app.push_screen(ConfirmDialog("end a silence", lines), answered)

        choices = [(one.id, what_is_silent(one), _silence_words(one, now)) for one in held]
        app.push_screen(ChoiceDialog("silences" if not may else "silences: ⏎ ends one", choices), picked)

    def command_rules(self, arguments: tuple[str, ...]) -> None:
        """`:rules [WORD]`: rules in force, or those that have the word in them."""
        word = " ".join(arguments).lower()

        def done(answer: RuleList) -> None:
            lines: list[tuple[str, str]] = []
            for rule in answer.rules:
                told = (f"{rule.severity:<8} {rule.rule}  {rule.title} ({rule.tier})", _rule_words(rule))
                if word in " ".join(told).lower():
                    lines += [(safe(told[0], 200), "strong"), (safe(f"{'':<9}{told[1]}", 400), "muted")]
            self._app.push_screen(
                ReportDialog("rules in force", lines or [(f"No rule has {word!r} in it.", "muted")])
            )

        self._app.order("rules.list", RuleList, None, done)

    def command_channels(self, arguments: tuple[str, ...]) -> None:
        """`:channels`: whether they work; one that is picked gets a test message."""

        def done(answer: ChannelList) -> None:
            if not answer.channels:
                self._app.say(
                    "No channel is set up: [alerts.channels] of config.toml says who is told.",
                    severity="warning",
                )
                return
            choices = [
                (one.name, one.name, _channel_words(one, self._app.world.now())) for one in answer.channels
            ]
            self._app.push_screen(ChoiceDialog("channels: ⏎ sends a test message", choices), picked)

        def picked(name: str | None) -> None:
            if name:
                self._app.order(
                    "channels.test", Done, TestChannel(channel=name), f"A test message was sent by {name}."
                )

        self._app.order("channels.list", ChannelList, None, done)


def what_is_silent(one: Silence) -> str:
    """What a silence is about, in words."""
    parts = [one.rule or "all alerts"]
    parts += [f"on {one.host}" if one.host else "on all hosts"]
    parts += [one.instance] if one.instance else []
    return safe(" ".join(parts), 200)


def _silence_words(one: Silence, now: float) -> str:
    return f"until {figures.clock(one.until, now)}, {figures.age(one.until - now)} more, by {one.by}" + (
        f": {one.reason}" if one.reason else ""
    )


def _rule_words(rule: Rule) -> str:
    words = rule.condition + (f" for {figures.age(rule.for_seconds)}" if rule.for_seconds else "")
    return words + (f", over when {rule.clears}" if rule.clears else "")


def _channel_words(one: Channel, now: float) -> str:
    words = f"{one.state}, {one.target}"
    words += f", last told {figures.age(now - one.last_ok_at)} ago" if one.last_ok_at else ", told nobody yet"
    words += f", {one.waiting} wait" if one.waiting else ""
    return words + (f"; {one.last_error}" if one.last_error else "")
