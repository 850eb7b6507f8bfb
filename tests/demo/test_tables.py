"""What simulated hosts answer for sections is what the engine's readers understand."""

from __future__ import annotations

import pytest

from guardian_tui.demo.figures import Figures
from guardian_tui.demo.roles import APP, DB, QUEUE, ROLES, WEB
from guardian_tui.engine.fleet.sections import ALL, Findings, Raw, split
from guardian_tui.engine.fleet.series import HOST_SERIES
from guardian_tui.protocol.sections import SECTIONS

NEVER_ALL_THE_TIME = frozenset(
    {"units", "logins", "sessions", "containers", "lvm", "zfs", "multipath", "nfs", "certificates", "updates"}
)
"""What is empty where nothing is wrong, nobody is there, or the role has none."""
NOT_OF_METAL = NEVER_ALL_THE_TIME | {"sensors", "ecc", "raid", "smart"}
EMPTY_HERE = {
    "db": NEVER_ALL_THE_TIME - {"multipath", "certificates"}, "files": NEVER_ALL_THE_TIME - {"zfs"}, "app": NOT_OF_METAL - {"containers", "lvm", "nfs"},
    "queue": NOT_OF_METAL - {"containers", "certificates"}, "web": NOT_OF_METAL - {"certificates"}, "mail": NOT_OF_METAL - {"certificates"},
}  # fmt: skip


def body(figures: Figures, request: str) -> bytes:
    """An answer without its frame, as the channel hands it on."""
    return "\n".join(figures.answer("1", request).splitlines()[1:-1]).encode()


def ask(figures: Figures, name: str, before: Raw | None = None, seconds: float = 0.0) -> tuple[Raw, Findings]:
    """A section as the engine reads it."""
    raw = split(body(figures, f"q {name}"), (name,))[name]
    findings = ALL[name].read(raw, before, seconds)
    assert not raw.problems, (name, raw.problems)
    return raw, findings


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_every_section_of_every_role_is_answered_and_read_without_a_problem(name: str, role: str) -> None:
    now = [1000.0]
    figures = Figures(3, nics=1, role=ROLES[role], clock=lambda: now[0])
    raw, _ = ask(figures, name)
    assert not raw.withheld, f"simulated hosts do not know the section {name}: {raw.withheld}"
    now[0] += 30
    _, found = ask(figures, name, raw, 30.0)
    assert found.rows or name in EMPTY_HERE.get(role, NOT_OF_METAL), f"{name} of {role} is empty"


def test_a_host_of_a_scale_test_without_a_role_answers_every_section_too() -> None:
    for name in SECTIONS:
        assert not ask(Figures(3), name)[0].withheld


def test_processors_are_as_busy_each_by_itself_as_all_together() -> None:
    now = [1000.0]
    figures = Figures(2, role=WEB, clock=lambda: now[0])
    raw, _ = ask(figures, "cores")
    now[0] += 60
    _, found = ask(figures, "cores", raw, 60.0)
    busy = [float(row[1] or 0.0) for row in found.rows]
    assert len(busy) == WEB.cpus and abs(sum(busy) / len(busy) - figures.busy) < 0.05
    assert len(set(busy)) > 1


def test_a_container_in_trouble_is_unhealthy_and_the_others_are_not() -> None:
    figures = Figures(2, role=APP)
    assert "unhealthy" not in {row[2] for row in ask(figures, "containers")[1].rows}
    figures.unhealthy = True
    _, found = ask(figures, "containers")
    assert [row[0] for row in found.rows if row[2] == "unhealthy"] == ["shop-api"]


def test_a_lost_disk_degrades_the_mirror_and_counts_sectors_that_it_lost() -> None:
    figures = Figures(2, role=DB)
    assert ask(figures, "raid")[1].values == {"raid_missing_members{md0}": 0.0}
    figures.disk_lost = True
    assert ask(figures, "raid")[1].values == {"raid_missing_members{md0}": 1.0}
    pending = {row[0]: row[6] for row in ask(figures, "smart")[1].rows}
    assert pending == {"sda": 0, "sdb": 64, "sdc": 0}


def test_one_certificate_of_the_fleet_has_few_days_left_and_all_hold() -> None:
    left = [
        (float(str(row[2])), seed)
        for seed in range(20)
        for role in ROLES.values()
        for row in ask(Figures(seed, role=role), "certificates")[1].rows
    ]
    assert 21 < min(left)[0] < 25 and min(left)[1] % 2 == 0


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
