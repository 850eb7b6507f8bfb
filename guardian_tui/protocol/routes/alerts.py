"""Routes of alerts, silences and channels."""

from __future__ import annotations

from guardian_tui.protocol import alerts
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.routes.route import Route

ALERTS: tuple[Route, ...] = (
    Route("alerts.list", "GET", "/v1/alerts", "alerts.see", alerts.AlertsQuery, alerts.AlertList, "Alerts that fire, or fired.", scoping="rows"),
    Route("alerts.show", "GET", "/v1/alerts/{alert}", "alerts.see", alerts.AlertRef, alerts.Alert, "One alert.", scoping="host"),
    Route("alerts.acknowledge", "POST", "/v1/alerts/{alert}/acknowledge", "alerts.acknowledge", alerts.Acknowledge, alerts.Alert,
          "Say that you have it.", "local", scoping="host"),
    Route("silences.list", "GET", "/v1/silences", "alerts.see", Nothing, alerts.SilenceList, "Silences that hold."),
    Route("silences.add", "POST", "/v1/silences", "alerts.silence", alerts.AddSilence, alerts.Silence,
          "Keep alerts from telling anybody for a time.", "local"),
    Route("silences.end", "DELETE", "/v1/silences/{silence}", "alerts.silence", alerts.EndSilence, Done, "End a silence.", "local"),
    Route("rules.list", "GET", "/v1/rules", "alerts.see", Nothing, alerts.RuleList, "Alert rules in force."),
    Route("channels.list", "GET", "/v1/channels", "alerts.see", Nothing, alerts.ChannelList, "Ways to reach someone, and whether they work."),
    Route("channels.test", "POST", "/v1/channels/{channel}/test", "channels.test", alerts.TestChannel, Done, "Send a test message.",
          "remote", scoping="whole"),
)  # fmt: skip
