"""Messages say what a person needs at night, in few words, and stay bounded."""

from __future__ import annotations

import math

import pytest

from guardian_tui.engine.alerts.catalogue import duration, quantity
from guardian_tui.engine.alerts.messages import Message, Note, plain_text, subject
from guardian_tui.protocol.alerts import Alert

AT = 1_800_000_000.0


def an_alert(**more) -> Alert:
    fields = {
        "id": "a1",
        "rule": "disk_low",
        "title": "Disk low",
        "severity": "warning",
        "tier": "notify",
        "state": "firing",
        "since": AT,
        "host_id": "h",
        "host": "web-1",
        "instance": "/var",
    }
    return Alert(**{**fields, **more})


def a_message(*notes: Note) -> Message:
    return Message("k", "prod", notes)


def test_a_message_says_what_where_how_much_since_when_and_who_has_it() -> None:
    alert = an_alert(
        why="96 % used",
        value=0.96,
        threshold=0.95,
        unit="ratio",
        folded=3,
        acknowledged_by="ada",
        resolved_at=AT + 60,
    )
    assert plain_text(a_message(Note("firing", alert, AT))).splitlines() == [
        "FIRING warning: Disk low /var on web-1",
        "  96 % used",
        "  value 96 %, limit 95 %",
        "  since 2027-01-15 08:00:00 UTC, over 2027-01-15 08:01:00 UTC",
        "  3 hosts behind it can't be reached",
        "  acknowledged by ada",
        "  rule disk_low, alert a1",
    ]


def test_the_worst_that_fires_leads_and_what_is_over_comes_last() -> None:
    notes = (
        Note("resolved", an_alert(severity="critical", host="old"), AT),
        Note("firing", an_alert(severity="info", host="mild"), AT),
        Note("worse", an_alert(severity="critical", host="grave"), AT + 5),
        Note("firing", an_alert(severity="critical", host="first"), AT),
    )
    text = plain_text(a_message(*notes))
    assert [text.index(host) for host in ("first", "grave", "mild", "old")] == sorted(
        text.index(host) for host in ("first", "grave", "mild", "old")
    )
    assert subject(a_message(*notes)) == "[guardian prod] FIRING critical: Disk low /var on first (+3 more)"
    assert subject(Message("k", "", notes[:1])) == "[guardian] RESOLVED: Disk low /var on old"


def test_a_message_is_bounded_however_many_alerts_and_however_long_their_words() -> None:
    notes = [Note("firing", an_alert(why="x" * 100_000, instance="y" * 100_000), AT) for _ in range(500)]
    text = plain_text(a_message(*notes))
    assert text.rstrip().endswith("… and 450 more")
    assert len(text) < 60_000
    assert len(subject(a_message(*notes))) < 200


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (2.5, "2.5s"),
        (45, "45s"),
        (90, "1m30s"),
        (600, "10m"),
        (3599, "59m"),
        (3600, "1h"),
        (5400, "1h30m"),
        (86400, "24h"),
        (2 * 86400, "2d"),
        (math.inf, "never"),
    ],
)
def test_spans_are_read_at_a_glance(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.974, "ratio", "97.4 %"),
        (0.05, "seconds", "50 ms"),
        (-0.6, "seconds", "-600 ms"),
        (7200.0, "seconds", "2h"),
        (512.0, "bytes", "512 B"),
        (20 * 2**30, "bytes", "20 GiB"),
        (5e15, "bytes", "4.44 PiB"),
        (1024.0, "bytes_per_second", "1 KiB/s"),
        (-2048.0, "bytes", "-2 KiB"),
        (501.0, "per_second", "501/s"),
        (6.0, "count", "6"),
        (1023.0, "bytes", "1023 B"),
        (12345.6, "per_second", "12346/s"),
        (12.345, "ratio", "1234 %"),
    ],
)
def test_figures_have_their_unit(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words
