"""What the engine measures of itself: lateness of waves, its own errors grouped, costs of sections, size of the store."""

from __future__ import annotations

import logging
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine import own_errors
from guardian_tui.engine.fleet.costs import WINDOW_SECONDS, Lateness, quantile, section_costs
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.sections.kept import Kept
from guardian_tui.engine.own_errors import OwnErrors
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.engine_figures import WaveFigures
from guardian_tui.protocol.fleet import HostSpec


def test_waves_are_counted_for_two_minutes_and_those_without_polls_are_none() -> None:
    now = 1000.0
    lateness = Lateness(lambda: now)
    assert lateness.figures() == WaveFigures()
    for late in (0.001, -0.0001, 0.5):
        lateness.note(10, late)
    lateness.note(0, 99.0)
    found = lateness.figures()
    assert (found.waves, found.polls, found.late_median_seconds, found.late_worst_seconds) == (
        3,
        30,
        0.001,
        0.5,
    )
    now += WINDOW_SECONDS + 1
    lateness.note(5, 0.2)
    assert lateness.figures().waves == 1 and lateness.asked_polls == 35


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(0, 1e6), min_size=1), share=st.floats(0, 1))
def test_a_quantile_is_one_of_the_values(values: list[float], share: float) -> None:
    assert quantile(sorted(values), share) in values


def test_errors_that_are_alike_are_one_line_with_a_count_and_nothing_in_them_is_drawn_raw() -> None:
    errors = OwnErrors()
    errors.open()
    log = logging.getLogger("guardian_tui.engine.fleet.watch")
    try:
        for host in ("h1", "h2", "h\x1b[2J3"):
            try:
                raise ValueError("secret")
            except ValueError:
                log.exception("polling %s failed", host)
        log.error("polling %s failed", "h4")
        log.warning("not an error")
        logging.getLogger("elsewhere").error("not ours")
        alone, thrice = errors.rows()
    finally:
        errors.close()
    assert (thrice.where, thrice.count) == ("engine.fleet.watch", 3)
    assert (
        thrice.words.endswith("failed (ValueError)")
        and "\x1b" not in thrice.words
        and "secret" not in thrice.words
    )
    assert alone.count == 1 and alone.first_at == alone.last_at >= thrice.last_at >= thrice.first_at
    log.error("after the end")
    assert len(errors.rows()) == 2


def test_groups_of_errors_are_bounded_and_the_ones_not_met_for_longest_go(monkeypatch: object) -> None:
    errors = OwnErrors()
    record = logging.LogRecord("guardian_tui.engine.x", logging.ERROR, "", 0, "kept", (), None)
    errors.emit(record)
    for number in range(own_errors.MOST_GROUPS + 50):
        errors.emit(
            logging.LogRecord("guardian_tui.engine.x", logging.ERROR, "", 0, f"number {number}", (), None)
        )
        if number % 20 == 0:
            errors.emit(record)
    rows = errors.rows()
    assert len(rows) == own_errors.MOST_GROUPS and any(row.words == "kept" and row.count == 9 for row in rows)


def host(name: str, **sections: tuple[float, int]) -> Host:
    one = Host(name, HostSpec(name=name), None, 0.0)
    one.sections = {key: Kept(b"x" * size, 1.0, 1.0, took) for key, (took, size) in sections.items()}
    return one


def test_a_section_s_cost_is_that_of_all_hosts_and_names_the_slowest() -> None:
    hosts = [
        host("a", units=(0.1, 10)),
        host("b", units=(0.9, 20), updates=(3.0, 5)),
        host("c", units=(0.2, 30)),
        host("d"),
    ]
    updates, units = section_costs(hosts)
    assert (updates.section, updates.hosts, updates.worst_host) == ("updates", 1, "b")
    assert (
        units.hosts,
        units.took_median_seconds,
        units.took_worst_seconds,
        units.worst_host,
        units.kept_bytes,
    ) == (3, 0.2, 0.9, "b", 60)


async def test_the_size_of_the_store_is_told_on_both_databases(store: Store, tmp_path: Path) -> None:
    size = await store.size_bytes()
    assert size is not None and size > 16_384
