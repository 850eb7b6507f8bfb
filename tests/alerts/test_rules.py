"""Each shipped rule fires on its fault, at its severity, not before its time, and lets go."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui.config import RuleOverride, parse_settings
from guardian_tui.engine.alerts.catalogue import as_markdown, make_catalogue
from guardian_tui.engine.alerts.evaluate import Evaluator
from guardian_tui.engine.alerts.rule_kinds import GIB
from guardian_tui.engine.alerts.rules import EVENT_RULES, METRIC_RULES
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.metrics import METRICS
from tests.alerts.feeding import Feed
from tests.alerts.machine_cases import MACHINE_CASES
from tests.alerts.service_cases import SERVICE_CASES

MINUTE = 60.0
FS = (
    "filesystem_used_ratio{/}",
    "filesystem_available_bytes{/}",
    "filesystem_readonly{/}",
    "filesystem_inodes_free_ratio{/}",
)
NIC = "network_error_ratio{eth0}"
DROPS = "network_drop_ratio{eth0}"
CRAMPED = "backup_space_trouble{vault}"
UNREAD = "backup_unreadable{vault}"
STALE, BROKEN, ODD, DRILL, UNCOPIED, BEHIND, UNTIMED = (
    f"backup_{name}{{web}}"
    for name in (
        "age_ratio",
        "failed",
        "anomaly",
        "drill_trouble",
        "copy_failed",
        "copy_lag_ratio",
        "timer_trouble",
    )
)
HTTP, CHECK = "check_http_trouble{web}", "check_trouble{mail}"
LEFT, INVALID = "check_certificate_seconds{web}", "check_certificate_invalid{web}"
LAG, USED = "check_replication_lag_seconds{db}", "check_connections_ratio{db}"

# rule, level, series, values that fire, seconds after which it must (and just before which it must not) fire,
# values that are better but within the hysteresis (None: the rule has none), values that clear, seconds for
# which it still fires then
CASES = [
    (
        "disk_low",
        "warning",
        FS,
        {FS[0]: 0.96, FS[1]: 19 * GIB},
        600,
        {FS[0]: 0.945, FS[1]: 19 * GIB},
        {FS[0]: 0.90, FS[1]: 19 * GIB},
        0,
    ),
    (
        "disk_low",
        "critical",
        FS,
        {FS[0]: 0.98, FS[1]: 4 * GIB},
        60,
        {FS[0]: 0.965, FS[1]: 4 * GIB},
        {FS[0]: 0.50},
        0,
    ),
    ("inodes_low", "warning", FS, {FS[3]: 0.045}, 600, {FS[3]: 0.055}, {FS[3]: 0.2}, 0),
    ("inodes_low", "critical", FS, {FS[3]: 0.02}, 600, {FS[3]: 0.035}, {FS[3]: 0.2}, 0),
    ("file_system_read_only", "critical", FS, {FS[2]: 1.0}, 60, None, {FS[2]: 0.0}, 0),
    (
        "cpu_busy",
        "warning",
        ("cpu_busy_ratio",),
        {"cpu_busy_ratio": 0.90},
        None,
        None,
        {"cpu_busy_ratio": 0.1},
        100,
    ),
    (
        "cpu_busy",
        "critical",
        ("cpu_busy_ratio",),
        {"cpu_busy_ratio": 1.0},
        None,
        None,
        {"cpu_busy_ratio": 0.1},
        150,
    ),
    (
        "iowait",
        "warning",
        ("cpu_iowait_ratio",),
        {"cpu_iowait_ratio": 0.9},
        None,
        None,
        {"cpu_iowait_ratio": 0.0},
        400,
    ),
    (
        "cpu_steal",
        "warning",
        ("cpu_steal_ratio",),
        {"cpu_steal_ratio": 0.2},
        None,
        None,
        {"cpu_steal_ratio": 0.0},
        800,
    ),
    ("load", "warning", ("load1_per_core",), {"load1_per_core": 2.1}, 900, None, {"load1_per_core": 1.9}, 0),
    (
        "memory_pressure",
        "critical",
        ("pressure_memory_full_ratio",),
        {"pressure_memory_full_ratio": 0.11},
        300,
        None,
        {},
        0,
    ),
    (
        "io_pressure",
        "warning",
        ("pressure_io_full_ratio",),
        {"pressure_io_full_ratio": 0.41},
        600,
        None,
        {},
        0,
    ),
    (
        "memory_low",
        "warning",
        ("memory_available_ratio",),
        {"memory_available_ratio": 0.09},
        900,
        {"memory_available_ratio": 0.11},
        {},
        0,
    ),
    (
        "memory_low",
        "critical",
        ("memory_available_ratio",),
        {"memory_available_ratio": 0.04},
        300,
        {"memory_available_ratio": 0.06},
        {},
        0,
    ),
    (
        "swap",
        "warning",
        ("swap_used_ratio",),
        {"swap_used_ratio": 0.95},
        30,
        {"swap_used_ratio": 0.85},
        {"swap_used_ratio": 0.79},
        0,
    ),
    (
        "swap",
        "critical",
        ("swap_used_ratio",),
        {"swap_used_ratio": 0.99},
        30,
        {"swap_used_ratio": 0.91},
        {"swap_used_ratio": 0.79},
        0,
    ),
    ("oom_kill", "warning", ("oom_kills",), {"oom_kills": 1.0}, 0, None, {}, 1790),
    (
        "major_faults",
        "warning",
        ("major_faults_per_second",),
        {"major_faults_per_second": 501.0},
        900,
        None,
        {},
        0,
    ),
    (
        "blocked_tasks",
        "warning",
        ("tasks_blocked",),
        {"tasks_blocked": 6.0},
        300,
        None,
        {"tasks_blocked": 5.0},
        0,
    ),
    (
        "zombies",
        "warning",
        ("processes_zombie",),
        {"processes_zombie": 6.0},
        300,
        None,
        {"processes_zombie": 5.0},
        0,
    ),
    (
        "clock_offset",
        "critical",
        ("clock_offset_seconds",),
        {"clock_offset_seconds": -0.6},
        600,
        {"clock_offset_seconds": -0.45},
        {},
        0,
    ),
    (
        "rebooted",
        "info",
        ("uptime_seconds",),
        {"uptime_seconds": 100.0},
        0,
        None,
        {"uptime_seconds": 601.0},
        0,
    ),
    ("nic_errors", "warning", (NIC,), {NIC: 0.02}, 600, None, {NIC: 0.005}, 0),
    ("nic_drops", "warning", (DROPS,), {DROPS: 0.03}, None, None, {DROPS: 0.0}, 150),
    (
        "conntrack",
        "warning",
        ("conntrack_used_ratio",),
        {"conntrack_used_ratio": 0.8},
        300,
        {"conntrack_used_ratio": 0.72},
        {},
        0,
    ),
    (
        "conntrack",
        "critical",
        ("conntrack_used_ratio",),
        {"conntrack_used_ratio": 0.96},
        300,
        {"conntrack_used_ratio": 0.92},
        {},
        0,
    ),
    (
        "file_descriptors",
        "warning",
        ("file_descriptors_used_ratio",),
        {"file_descriptors_used_ratio": 0.75},
        900,
        {"file_descriptors_used_ratio": 0.67},
        {},
        0,
    ),
    (
        "file_descriptors",
        "critical",
        ("file_descriptors_used_ratio",),
        {"file_descriptors_used_ratio": 0.95},
        900,
        {"file_descriptors_used_ratio": 0.87},
        {},
        0,
    ),
    (
        "pids",
        "warning",
        ("pids_used_ratio",),
        {"pids_used_ratio": 0.9},
        300,
        {"pids_used_ratio": 0.82},
        {},
        0,
    ),
    (
        "pids",
        "critical",
        ("pids_used_ratio",),
        {"pids_used_ratio": 0.96},
        300,
        {"pids_used_ratio": 0.92},
        {},
        0,
    ),
    ("disk_queue", "warning", ("disk_queue{sda}",), {"disk_queue{sda}": 11.0}, 1800, None, {}, 0),
    (
        "disk_await",
        "warning",
        ("disk_await_seconds{sda}",),
        {"disk_await_seconds{sda}": 0.021},
        1800,
        None,
        {},
        0,
    ),
    *SERVICE_CASES,
    *MACHINE_CASES,
    ("http_check_failed", "critical", (HTTP,), {HTTP: 2.0}, 0, None, {}, 0),
    ("check_failed", "warning", (CHECK,), {CHECK: 1.0}, 0, None, {}, 0),
    ("check_failed", "critical", (CHECK,), {CHECK: 2.0}, 0, None, {}, 0),
    ("tls_certificate", "warning", (LEFT,), {LEFT: 20 * 86400.0}, 0, None, {}, 0),
    ("tls_certificate", "critical", (LEFT,), {LEFT: 6 * 86400.0}, 0, None, {}, 0),
    ("tls_certificate_invalid", "critical", (INVALID,), {INVALID: 1.0}, 0, None, {}, 0),
    ("database_replication_lag", "warning", (LAG,), {LAG: 31.0}, 300, {LAG: 20.0}, {}, 0),
    ("database_connections", "warning", (USED,), {USED: 0.81}, 300, {USED: 0.78}, {}, 0),
    ("backup_stale", "warning", (STALE,), {STALE: 1.1}, 0, None, {}, 0),
    ("backup_stale", "critical", (STALE,), {STALE: 2.1}, 0, None, {}, 0),
    ("backup_run_failed", "warning", (BROKEN,), {BROKEN: 1.0}, 0, None, {}, 0),
    ("backup_anomaly", "warning", (ODD,), {ODD: 1.0}, 0, None, {}, 0),
    ("backup_copy_failed", "warning", (UNCOPIED,), {UNCOPIED: 1.0}, 0, None, {}, 0),
    ("backup_copy_stale", "warning", (BEHIND,), {BEHIND: 1.1}, 3600, None, {}, 0),
    ("backup_copy_stale", "critical", (BEHIND,), {BEHIND: 2.1}, 3600, None, {}, 0),
    ("backup_unreadable", "warning", (UNREAD,), {UNREAD: 1.0}, 1200, None, {}, 0),
    ("backup_space", "warning", (CRAMPED,), {CRAMPED: 1.0}, 3600, None, {}, 0),
    ("backup_space", "critical", (CRAMPED,), {CRAMPED: 2.0}, 3600, None, {}, 0),
    ("backup_timer", "warning", (UNTIMED,), {UNTIMED: 1.0}, 900, None, {}, 0),
    ("restore_drill", "warning", (DRILL,), {DRILL: 1.0}, 0, None, {}, 0),
    ("restore_drill", "critical", (DRILL,), {DRILL: 2.0}, 0, None, {}, 0),
]


def a_feed(series: tuple[str, ...], **rest: float) -> Feed:
    return Feed(Evaluator(METRIC_RULES), series, **rest)  # type: ignore[arg-type]  # only numbers are given


@pytest.mark.parametrize(("rule", "level", "series", "fire", "wait", "within", "clear", "still_after"), CASES)
def test_each_rule_fires_on_its_fault_and_lets_go(
    rule, level, series, fire, wait, within, clear, still_after
) -> None:
    # what waits for days is asked for once a minute here; it is asked for more seldom in truth
    feed = a_feed(series, step=60.0 if wait and wait >= 86400 else 5.0)
    assert feed.during(1300) == [], "a healthy host raises nothing"
    if wait is None:
        found = feed.during(2 * 3600, fire)
    else:
        if wait:
            early = [
                finding
                for finding in feed.during(wait, fire)
                if finding.rule.levels[finding.level].severity == level
            ]
            assert early == [], "it fired before its time"
        found = feed.during(10, fire)
    last = found[-1]
    assert (last.rule.rule, last.rule.levels[last.level].severity) == (rule, level)
    if within is not None:
        assert feed.during(300, within) == [], "within its hysteresis it stays"
    if still_after:
        assert all(finding.level >= 0 for finding in feed.during(still_after, clear)), "it was over too early"
        over = feed.during(1300, clear)
    else:
        over = feed.during(10, clear)
    assert [finding.level for finding in over][-1] == -1


def test_every_rule_has_a_case_here() -> None:
    covered = {(case[0], case[1]) for case in CASES} | {
        ("disk_forecast", "warning"),
        ("disk_forecast", "critical"),
        ("clock_offset", "warning"),
    }
    assert covered == {(rule.rule, level.severity) for rule in METRIC_RULES for level in rule.levels}


@pytest.mark.parametrize(("hours", "used", "severity"), [(20.0, 0.7, "warning"), (3.0, 0.85, "critical")])
def test_a_filling_disk_is_told_before_it_is_full(hours: float, used: float, severity: str) -> None:
    feed = a_feed(FS, step=30.0)
    free = 400 * GIB
    shrink = free / (hours * 3600 + 2 * 3600)
    found = []
    for number in range(240):
        found += feed.once({FS[0]: used, FS[1]: free - shrink * 30 * number})
    assert [(f.rule.rule, f.rule.levels[f.level].severity) for f in found][-1:] == [
        ("disk_forecast", severity)
    ]
    # cleaned up: the line through the window turns upwards
    over = [finding for _ in range(1500) for finding in feed.once({FS[0]: 0.3, FS[1]: 900 * GIB})]
    assert [finding.level for finding in over][-1] == -1


def test_a_disk_that_empties_or_stands_still_raises_no_forecast() -> None:
    feed = a_feed(FS, step=30.0)
    assert feed.during(8 * 3600, {FS[0]: 0.9, FS[1]: 400 * GIB}) == []


def test_a_clock_that_is_being_slewed_back_is_left_in_peace_and_one_that_stays_off_is_not() -> None:
    drifting, slewing = a_feed(("clock_offset_seconds",)), a_feed(("clock_offset_seconds",))
    found, quiet = [], []
    for number in range(400):
        found += drifting.once({"clock_offset_seconds": 0.3 + (number % 3) * 0.002})
        quiet += slewing.once({"clock_offset_seconds": max(0.3 - number * 0.001, 0.0)})
    assert [finding.rule.levels[finding.level].severity for finding in found] == ["warning"]
    assert quiet == []
    assert drifting.during(10, {"clock_offset_seconds": 0.03})[-1].level == -1


def test_an_image_that_is_always_full_and_read_only_raises_nothing() -> None:
    feed = a_feed(FS)
    assert feed.during(3600, {FS[0]: 1.0, FS[1]: 0.0, FS[2]: 1.0}) == []


def test_a_rule_names_series_that_exist_and_its_levels_share_their_first_look() -> None:
    for rule in METRIC_RULES:
        for level in rule.levels:
            assert all(term.metric in METRICS for term in level.terms)
            assert all(term.op == ">" for term in level.terms if term.view == "mean")
            assert len({METRICS[term.metric].period for term in level.terms}) == 1
        Evaluator([rule])
    ids = [rule.rule for rule in METRIC_RULES] + [rule.rule for rule in EVENT_RULES]
    assert len(ids) == len(set(ids))


def test_settings_change_threshold_tier_and_wait_and_switch_a_rule_off() -> None:
    settings = parse_settings(
        "[alerts.rules.cpu_busy]\nwarning = 0.5\ntier = 'page'\n[alerts.rules.load]\nenabled = false\n"
        "[alerts.rules.swap]\nfor_seconds = 0\n[alerts.rules.engine_behind]\nfor_seconds = 5.0\n"
    )
    rules = make_catalogue(settings.alerts.rules)
    by_name = {rule.rule: rule for rule in rules.metric_rules}
    assert "load" not in by_name
    assert "load" not in rules.names()
    warning = by_name["cpu_busy"].levels[0]
    assert (warning.terms[0].value, warning.tier) == (0.5, "page")
    assert warning.terms[0].clear == pytest.approx(0.5 * 0.75 / 0.85)
    assert by_name["swap"].levels[0].for_seconds == 0
    assert rules.event_rules["engine_behind"].for_seconds == 5


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("disk_lo", RuleOverride(), "Did you mean disk_low?"),
        ("zzz", RuleOverride(), "there is no rule zzz. docs"),
        ("load", RuleOverride(critical=3), "load has no critical level"),
        ("host_down", RuleOverride(critical=3), "no threshold"),
        ("host_down", RuleOverride(for_seconds=3), "does not wait"),
        ("engine_behind", RuleOverride(for_seconds=-1), "wanted are 0 to"),
        ("cpu_busy", RuleOverride(for_seconds=float("nan")), "wanted are 0 to 31622400 seconds, not nan"),
        ("cpu_busy", RuleOverride(warning=float("nan")), "not negative, not nan"),
        ("zombies", RuleOverride(warning=float("inf")), "not negative, not inf"),
        ("load", RuleOverride(warning=-1.0), "not negative, not -1"),
        ("disk_low", RuleOverride(critical=97), "write 0.85 for 85 %, not 97"),
        ("smart", RuleOverride(critical=3), "no threshold to change"),
        ("swap", RuleOverride(warning=0.99), "critical (0.98) would be met before warning (0.99)"),
        ("memory_low", RuleOverride(critical=0.2), "critical (0.2) would be met before warning (0.1)"),
    ],
)
def test_a_wrong_rule_in_the_settings_is_named_with_what_was_meant(
    name: str, change: RuleOverride, words: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        make_catalogue({name: change})
    assert words in caught.value.detail
    assert caught.value.field.startswith(f"alerts.rules.{name}")


def test_a_changed_threshold_has_a_value_that_lets_go() -> None:
    changed = make_catalogue(
        {
            "memory_low": RuleOverride(warning=0.95, critical=0.9),
            "temperature": RuleOverride(critical=1.2),
            "swap": RuleOverride(warning=0.98),
        }
    )
    by_name = {rule.rule: rule for rule in changed.metric_rules}
    for level in by_name["memory_low"].levels:
        term = level.terms[0]
        assert term.clear is not None and term.value < term.clear < 1
    assert by_name["temperature"].levels[1].terms[0].value == 1.2
    assert [level.terms[0].value for level in by_name["swap"].levels] == [0.98, 0.98]


def test_the_table_in_the_docs_is_the_table_in_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert as_markdown(make_catalogue({}).rows()) in page


def test_a_hurried_rule_waits_looks_back_and_looks_ahead_as_much_less_but_has_the_same_thresholds() -> None:
    shipped, hurried = make_catalogue({}), make_catalogue({}, 60.0)
    for slow, fast in zip(shipped.metric_rules, hurried.metric_rules, strict=True):
        for one, other in zip(slow.levels, fast.levels, strict=True):
            assert other.for_seconds == one.for_seconds / 60 and other.keep_seconds == one.keep_seconds / 60
            for term, hurry in zip(one.terms, other.terms, strict=True):
                assert hurry.window_seconds == term.window_seconds / 60
                assert hurry.value == (term.value / 60 if term.view == "until_zero" else term.value)
    assert (
        hurried.event_rules["engine_behind"].for_seconds
        == shipped.event_rules["engine_behind"].for_seconds / 60
    )


def test_a_hurried_disk_forecast_fires_after_a_minute_in_place_of_an_hour() -> None:
    feed = Feed(Evaluator(make_catalogue({}, 60.0).metric_rules), FS, step=1.0)
    size, room = 100 * GIB, 30.0 * GIB
    fired: list[tuple[int, str]] = []
    for second in range(180):
        room -= size * 0.0005
        fired += [(second, found.rule.rule) for found in feed.once({FS[0]: 1 - room / size, FS[1]: room})]
    assert [rule for _, rule in fired][:1] == ["disk_forecast"]
    assert 60 <= fired[0][0] <= 100


def test_rules_say_which_metric_they_draw_a_line_in_and_where() -> None:
    rows = make_catalogue({"cpu_busy": RuleOverride(critical=0.9)}).rows()
    lines = {(row.rule, row.severity): (row.metric, row.threshold, row.above) for row in rows}
    assert lines["cpu_busy", "critical"] == ("cpu_busy_ratio", 0.9, True)
    assert lines["memory_low", "critical"] == ("memory_available_ratio", 0.05, False)
    # a forecast and a flag have no line in a chart of their metric
    assert lines["disk_forecast", "critical"][:2] == ("", None)
    assert lines["file_system_read_only", "critical"][:2] == ("", None)
    assert all(row.threshold is not None for row in rows if row.metric)
