"""What simulated hosts answer for sections is what the engine's readers understand."""

from __future__ import annotations

import pytest

from guardian_tui.demo.figures import Figures
from guardian_tui.demo.roles import QUEUE, ROLES, WEB
from guardian_tui.demo.tables import TABLES
from guardian_tui.engine.fleet.sections import ALL, Findings, Raw, split
from guardian_tui.engine.fleet.series import HOST_SERIES


def body(figures: Figures, request: str) -> bytes:
    """An answer without its frame, as the channel hands it on."""
    return "\n".join(figures.answer("1", request).splitlines()[1:-1]).encode()


def ask(figures: Figures, name: str, before: Raw | None = None, seconds: float = 0.0) -> tuple[Raw, Findings]:
    """A section as the engine reads it."""
    raw = split(body(figures, f"q {name}"), (name,))[name]
    findings = ALL[name].read(raw, before, seconds)
    assert not raw.problems, (name, raw.problems)
    return raw, findings


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("role", ROLES)
def test_every_section_of_every_role_is_answered_and_read_without_a_problem(name: str, role: str) -> None:
    raw, _ = ask(Figures(3, role=ROLES[role]), name)
    assert not raw.withheld, f"simulated hosts do not know the section {name}: {raw.withheld}"


def test_a_host_has_four_hundred_processes_and_its_service_is_among_them() -> None:
    figures = Figures(1, role=WEB)
    raw, _ = ask(figures, "processes")
    _, found = ask(figures, "processes", raw, 1.0)
    assert len(found.rows) == 400
    assert len({row[0] for row in found.rows}) == 400
    assert sum("nginx: worker" in str(row[-1]) for row in found.rows) == 32


def test_a_runaway_is_the_process_on_top() -> None:
    now = [1000.0]
    figures = Figures(1, role=WEB, clock=lambda: now[0])
    figures.runaway = True
    now[0] += 5
    raw, _ = ask(figures, "processes")
    now[0] += 5
    _, found = ask(figures, "processes", raw, 5.0)
    top = max(found.rows, key=lambda row: row[4] or 0.0)
    assert "report.py" in str(top[-1]) and float(top[4] or 0.0) > 3


def test_a_crash_loop_restarts_its_unit_more_often_than_the_rule_allows() -> None:
    now = [1000.0]
    figures = Figures(1, role=QUEUE, clock=lambda: now[0])
    raw, found = ask(figures, "units")
    assert not found.rows
    figures.crash_loop = True
    now[0] += 60
    _, found = ask(figures, "units", raw, 60.0)
    assert [row[:3] for row in found.rows] == [("rabbitmq-server.service", "activating", "auto-restart")]
    assert found.values["unit_restarts{rabbitmq-server.service}"] > 2


def test_an_unknown_section_is_refused_as_the_probe_does() -> None:
    raw = split(body(Figures(1), "q tasks nonsense"), ("tasks", "nonsense"))
    assert raw["tasks"].rows and raw["nonsense"].withheld[0][0] == "nonsense"


def test_a_host_as_wide_as_scale_tests_want_it_has_150_series() -> None:
    figures = Figures(1, disks=16, nics=8)
    lines = figures.answer("1", "f").splitlines()
    series = (
        len(HOST_SERIES)
        + 5 * sum(line.startswith("d ") for line in lines)
        + 4 * sum(line.startswith("N ") for line in lines)
    )
    assert series + 5 * len(figures.rooms) >= 150
