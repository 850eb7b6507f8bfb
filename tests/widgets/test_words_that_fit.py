"""What a list says where there is no room for all, and where there is no row."""

from __future__ import annotations

import pytest

from tests.support.console import until
from tests.widgets.fleet_app import NOW, alert, row
from tests.widgets.test_small_widgets import OneWidget, text_of
from widgets.alerts_list import AlertsList
from widgets.hosts_table import HostsTable, _shorter, _value


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (40, "CPU busy: 89.1 %"),
        (16, "CPU busy: 89.1 %"),
        (15, "CPU busy"),
        (7, "CPU busy: 89.1 % > 85 % over 10s"),
    ],
)
def test_a_reason_loses_its_threshold_before_its_value_and_that_before_its_name(
    room: int, shown: str
) -> None:
    assert _shorter("CPU busy: 89.1 % > 85 % over 10s", room) == shown


@pytest.mark.parametrize(
    ("why", "kept", "gone"),
    [
        ("Clock off", "━", ""),
        ("Rebooted: up for 51s", "74", " 66 "),
        ("rabbitmq failed, restarted 3 times", "23", ""),
        ("Disk will be full: full in 3m47s if it goes on", "23", " 74 "),
    ],
)
async def test_at_80_columns_a_reason_is_read_whole_and_figures_make_room_for_it(
    why: str, kept: str, gone: str
) -> None:
    hosts = HostsTable()
    async with OneWidget(hosts).run_test(size=(80, 10)):
        hosts.apply([row("web-1", "degraded", why=why, cpu=0.23, memory=0.74, disk=0.66)], (), NOW)
        line = "".join(text for text, _ in hosts.line("web-1", hosts.width))
        assert _value(why) in line and line.endswith(" 60s") and len(line) < hosts.width
        assert kept in line and (not gone or gone not in line)


async def test_an_empty_list_says_why_and_what_to_do() -> None:
    hosts = HostsTable()
    async with OneWidget(hosts).run_test(size=(80, 10)):
        hosts.say_nothing("No host is watched yet: n adds one.")
        await until(lambda: any("n adds one" in line for line in text_of(hosts)))


async def test_a_narrow_list_of_alerts_gives_each_column_what_its_words_need() -> None:
    alerts = AlertsList()
    async with OneWidget(alerts).run_test(size=(37, 10)):
        alerts.show([alert("Disk will be full", "files-ams-1", 100), alert("CPU", "w", 100)], NOW)
        await until(lambda: any("Disk will be… files-ams-1" in line for line in text_of(alerts)))
        alerts.show([alert("CPU busy for long", "web-1", 100)], NOW)
        await until(
            lambda: any("CPU busy for long " in line and "web-1 " in line for line in text_of(alerts))
        )
