"""Checks the settings of alerts before anything is started by them."""

from __future__ import annotations

from guardian_tui.config import AlertsSettings
from guardian_tui.engine.alerts.catalogue import Catalogue, make_catalogue
from guardian_tui.engine.alerts.channels import check_channel


def check_settings(settings: AlertsSettings) -> Catalogue:
    """The rules in force by these settings.

    Raises:
        InvalidRequest: a rule or level does not exist, or a channel can never work; names the key and what was meant.
    """
    for name, channel in settings.channels.items():
        check_channel(name, channel)
    return make_catalogue(settings.rules, settings.hurry)
