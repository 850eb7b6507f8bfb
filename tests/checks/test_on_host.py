"""Checks by commands on a host: this machine, and a real one through sshd."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.checks import logfile
from guardian_tui.engine.fleet.checks import unit as units
from guardian_tui.engine.fleet.checks.exposition import parse_exposition
from guardian_tui.engine.fleet.checks.logfile import Part, Place, plan
from guardian_tui.engine.fleet.checks.nagios import figure_of
from guardian_tui.engine.fleet.checks.perfdata import parse_output, parse_perfdata, parse_range
from guardian_tui.engine.fleet.checks.process import count_processes
from guardian_tui.engine.remote.connections import Completed
from guardian_tui.protocol.check_params import UnitParams
from guardian_tui.protocol.checks import CheckFigure, CheckRef, Range
from tests.checks.lab import HERE, Lab, answering, http, server
from tests.support.sshd import Sshd

pytestmark = pytest.mark.timeout(120)


async def test_files_are_judged_by_age_and_size(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "it's a $(touch x) file"
    path = {"path": str(file)}
    check = await lab.made("file", path)
    assert (check.state, check.words) == ("failed", "it is not there")
    assert (await lab.made("file", {**path, "absent": True})).state == "ok"
    file.write_text("hello")
    os.utime(file, (time.time() - 100, time.time() - 100))
    check = await lab.made("file", path)
    assert check.state == "ok" and "5 bytes" in check.words
    assert 99 <= lab.figures(check)["check_file_age_seconds"] <= 130
    for params, words in (
        ({"age_max": 50}, "wanted within 50"), ({"age_min": 5000}, "wanted 5000 at least"), ({"size_min": 6}, "wanted at least 6"),
        ({"size_max": 4}, "wanted at most 4"), ({"absent": True}, "it is there"),
    ):  # fmt: skip
        check = await lab.made("file", {**path, **params})
        assert check.state == "failed" and words in check.words, check.words


async def test_commands_run_on_a_real_host_and_a_dead_one_is_no_fault_of_the_file(
    lab: Lab, sshd: Callable[..., Sshd]
) -> None:
    one = sshd()
    host = await lab.host(one)
    check = await lab.made("file", {"path": "/etc/passwd"}, host=host.spec.name)
    assert check.state == "ok", check.words
    check = await lab.made("file", {"path": "/root/x"}, host=host.spec.name)
    assert check.state in ("unknown", "failed")
    check = await lab.made("process", {"pattern": "sshd"}, host=host.spec.name)
    assert check.state == "ok", check.words
    one.stop()
    await lab.world.until(lambda: host.reach == "failing")
    await lab.run(check)
    assert check.state == "unknown" and "no way to its host" in check.words


async def test_processes_are_counted(lab: Lab) -> None:
    check = await lab.made("process", {"pattern": "pytest"})
    assert check.state == "ok" and lab.figures(check)["check_processes"] >= 1
    check = await lab.made("process", {"pattern": "no-such-process-[0-9]"})
    assert (check.state, check.words) == ("failed", "0 processes, wanted at least 1")
    text = "root  /usr/sbin/nginx\nwww-dat+ nginx: worker\nbob nginx-fan\nUSER COMMAND\n"
    assert count_processes(text, "nginx", "") == 3
    assert count_processes(text, "^nginx: ", "www-data") == 1
    assert count_processes(text, "nginx", "bo") == 0


async def test_a_unit_is_asked_of_systemd(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nNRestarts=0\n": (
            "ok",
            "active (running)",
        ),
        "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nNRestarts=3\n": (
            "failed",
            "exit-code, wanted active",
        ),
        "LoadState=not-found\nActiveState=inactive\n": ("failed", "there is no unit x.service"),
        "garbage \x1b[2J": ("unknown", "does not say"),
    }
    for out, (state, words) in answers.items():

        async def run(self: object, command: str, told: str = out, **_: object) -> Completed:
            assert (
                command
                == "systemctl show --property=LoadState,ActiveState,SubState,Result,NRestarts -- x.service"
            )
            return Completed(0, told.encode(), b"")

        monkeypatch.setattr("guardian_tui.engine.fleet.checks.site.Site.run", run)
        check = await lab.made("unit", {"unit": "x.service"})
        assert check.state == state and words in check.words, check.words
    assert units.parse_properties("A=b=c\nx\n") == {"A": "b=c"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"unit": "x; reboot"}, UnitParams)


async def test_a_log_is_read_on_from_where_the_last_look_ended_over_rotation_and_truncation(
    lab: Lab, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    check = await lab.made("log", {"path": str(log), "pattern": "ERROR", "ignore": "harmless"})
    assert (check.state, check.words) == ("failed", "it is not there")
    log.write_text("ERROR old\n")
    await lab.run(check)
    assert (check.state, check.words) == ("ok", "first look")
    with log.open("a") as file:
        file.write("fine\nERROR one\nERROR harmless\nERROR half")
    await lab.run(check)
    assert check.state == "failed" and "1 line, the last: ERROR one" in check.words
    with log.open("a") as file:
        file.write(" done \x1b[31m\n")
    await lab.run(check)
    assert check.state == "failed" and "ERROR half done" in check.words and check.words.isprintable()
    await lab.run(check)
    assert (check.state, check.words) == ("ok", "no such line")
    with log.open("a") as file:
        file.write("ERROR before rotation\n")
    log.rename(tmp_path / "app.log.1")
    log.write_text("ERROR after rotation\n")
    await lab.run(check)
    assert lab.figures(check)["check_log_matches"] == 2
    log.write_text("ERROR x\n")
    await lab.run(check)
    assert lab.figures(check)["check_log_matches"] == 1, (
        "a file that became shorter is read from its beginning"
    )
    await lab.checks._write_memory()
    await lab.restart()
    again = lab.checks.named(check.spec.name)
    assert again is not None
    with log.open("a") as file:
        file.write("ERROR while away\n")
    await lab.run(again)
    assert "while away" in again.words


async def test_more_of_a_log_than_one_look_reads_is_read_by_the_next(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "READ_BYTES", 100)
    log = tmp_path / "app.log"
    log.write_text("")
    check = await lab.made("log", {"path": str(log), "pattern": "E", "most": 1000, "level": "warning"})
    log.write_text("E 89\n" * 50 + "x" * 250 + "E\n")
    total = 0.0
    for _ in range(8):
        await lab.run(check)
        total += lab.figures(check)["check_log_matches"]
    assert total == 51


def test_what_to_read_of_a_log() -> None:
    assert plan("/l", None, Place(1, 10), None) == []
    assert plan("/l", Place(1, 10), Place(1, 10), None) == []
    assert plan("/l", Place(1, 10), Place(1, 5), None) == [Part("/l", 0, True)]
    assert plan("/l", Place(1, 4), Place(2, 5), Place(1, 9)) == [Part("/l.1", 4, False), Part("/l", 0, True)]
    assert plan("/l", Place(1, 4), Place(2, 0), Place(3, 9)) == []


def plugin(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "plug ins"
    folder.mkdir()
    settings = msgspec.structs.replace(
        HERE, plugin_folders=("/nowhere", str(folder), "/usr/lib/nagios/plugins")
    )
    monkeypatch.setattr("tests.checks.lab.HERE", settings)
    return folder


async def test_plugins_are_run_as_they_are(plugins: Path, lab: Lab) -> None:
    plugin(
        plugins,
        "check_x",
        'echo "X OK - $1|\'a b\'=5ms;10;20 free=3%;;;0;100 bad=U"; echo "more | c=1KB"; exit $2',
    )
    for code, state in ((0, "ok"), (1, "warning"), (2, "failed"), (3, "unknown"), (9, "unknown")):
        check = await lab.made("nagios", {"plugin": "check_x", "arguments": ["it's; $(reboot)", str(code)]})
        assert check.state == state and "X OK - it's; $(reboot)" in check.words, check.words
    check = await lab.made("nagios", {"plugin": "check_x", "arguments": ["", "0"]})
    assert lab.figures(check) == {
        "check_perfdata/a b": 0.005,
        "check_perfdata/free": 0.03,
        "check_perfdata/c": 1024.0,
    }
    series = [figure.series for figure in check.detail("h").figures]
    assert f"check_perfdata{{{check.spec.name}/a b}}" in series
    check = await lab.made("nagios", {"plugin": "check_none"})
    assert check.state == "unknown" and "no plugin check_none" in check.words
    plugin(plugins, "check_hangs", "sleep 60 & sleep 60")
    check = await lab.made("nagios", {"plugin": "check_hangs"}, timeout_seconds=0.5)
    assert check.state == "unknown" and "end" in check.words, check.words
    plugin(plugins, "check_loud", "yes")
    check = await lab.made("nagios", {"plugin": "check_loud"})
    assert check.state == "unknown" and "says too much" in check.words
    plugin(plugins, "check_silent", "exit 2")
    check = await lab.made("nagios", {"plugin": "check_silent"})
    assert (check.state, check.words) == ("failed", "it says nothing")


async def test_a_plugin_of_the_monitoring_plugins_runs_on_a_real_host(
    plugins: Path, lab: Lab, sshd: Callable[..., Sshd]
) -> None:
    host = await lab.host(sshd())
    params = {"plugin": "check_load", "arguments": ["-w", "1000,1000,1000", "-c", "2000,2000,2000"]}
    check = await lab.made("nagios", params, host=host.spec.name, timeout_seconds=20)
    assert check.state == "ok" and "load average" in check.words.lower(), check.words
    assert {"check_perfdata/load1", "check_perfdata/load5", "check_perfdata/load15"} <= set(
        lab.figures(check)
    )


@pytest.mark.parametrize(
    ("plugin", "arguments", "label", "unit", "warning", "critical", "least", "most", "level"),
    [
        ("check_load", ["-w", "1000,900,800", "-c", "2000,1900,1800"], "load5", "count", Range(high=900), Range(high=1900), 0, None, ""),
        ("check_procs", ["-w", "1:100000", "-c", "@0:0"], "procs", "count", Range(low=1, high=1e5), Range(high=0, inside=True), 0, None, ""),
        ("check_procs", ["-w", "~:0", "-c", "100000:"], "procs", "count", Range(low=None, high=0), Range(low=1e5), 0, None, "critical"),
        ("check_users", ["-w", "1000", "-c", "2000"], "users", "count", Range(high=1000), Range(high=2000), 0, None, ""),
        ("check_file_age", ["-w", "1", "-c", "100000000000", "-f", "/etc/debian_version"], "age", "seconds", Range(high=1), Range(high=1e11), None, None, "warning"),
    ],
)  # fmt: skip
async def test_thresholds_of_real_plugins_are_kept_with_the_newest_result(
    lab: Lab, plugin: str, arguments: list[str], label: str, unit: str, warning: Range, critical: Range, least: float | None, most: float | None, level: str,
) -> None:  # fmt: skip
    check = await lab.made("nagios", {"plugin": plugin, "arguments": arguments}, timeout_seconds=20)
    series = f"check_perfdata{{{check.spec.name}/{label}}}"
    detail = await lab.order("checks.show", CheckRef(check=check.spec.name))
    (figure,) = [figure for figure in detail.figures if figure.series == series]
    told = (figure.unit, figure.warning, figure.critical, figure.least, figure.most, figure.level)
    assert told == (unit, warning, critical, least, most, level), check.words


async def test_the_room_of_a_file_system_has_thresholds_and_bounds_in_bytes(lab: Lab) -> None:
    arguments = ["-w", "20%", "-c", "10%", "-p", "/"]
    check = await lab.made("nagios", {"plugin": "check_disk", "arguments": arguments}, timeout_seconds=20)
    (figure,) = check.detail("h").figures
    size = os.statvfs("/").f_blocks * os.statvfs("/").f_frsize
    assert figure.unit == "bytes" and figure.least == 0 and figure.most is not None
    assert figure.warning is not None and figure.critical is not None and figure.warning.high is not None
    assert figure.most == pytest.approx(size, rel=0.1)
    assert figure.warning.high == pytest.approx(0.8 * figure.most, rel=0.01)
    assert figure.critical.high == pytest.approx(0.9 * figure.most, rel=0.01)
    told = msgspec.json.decode(msgspec.json.encode(figure))
    assert told["critical"] == {"low": 0.0, "high": figure.critical.high, "inside": False}


def test_performance_data_is_read_as_the_guidelines_have_it() -> None:
    text, values = parse_output(
        "DISK OK - free | /=2643MB;5948;5958;0;5968\nlong text\nmore | /boot=68MB;88;93;0;98 /var/log=818MB\n'it''s'=1,5s"
    )
    assert text == "DISK OK - free"
    assert [value.label for value in values] == ["/", "/boot", "/var/log", "it's"]
    first = values[0]
    assert first.value == 2643 * 1024**2 and first.unit == "bytes" and first.most == 5968 * 1024**2
    assert first.warning == Range(low=0, high=5948 * 1024**2)
    assert values[3].value == 1.5 and values[3].unit == "seconds"
    assert parse_range("~:10") == Range(low=None, high=10) and parse_range("10:") == Range(low=10)
    assert parse_range(":10") == parse_range("10") == Range(high=10) and parse_range("@10") == Range(
        high=10, inside=True
    )
    assert (
        parse_range("~:") == Range(low=None)
        and parse_range("1:2x") is parse_range("~") is parse_range("x:1") is None
    )
    assert parse_range("1e308", 1e6) == Range(), "what no number holds is no bound"
    inside = parse_range("@10:20")
    assert inside is not None and inside.alerts(15) and not inside.alerts(25)
    outside = parse_range("10")
    assert outside is not None and outside.alerts(-1) and not outside.alerts(5)
    assert parse_range("20:10") is None and parse_range("x") is None and parse_range("") is None
    assert parse_perfdata("a=1 b= =3 c=xx d=1;2;3;4;5;6 a=2") == parse_perfdata("a=2 d=1;2;3;4;5")


@given(
    st.text(alphabet=st.sampled_from("ab='\"|; \n0159.,:~@%KMB{}\x1b\u202e"), max_size=200)
    | st.text(max_size=100)
)
def test_any_performance_data_gives_values_that_can_be_kept(text: str) -> None:
    _, values = parse_output(text)
    for value in values:
        assert value.label.isprintable() and not set("{}\n") & set(value.label) and value.value == value.value
        shown = figure_of(value).shown("check")
        assert msgspec.json.decode(msgspec.json.encode(shown), type=CheckFigure) == shown


EXPOSITION = b"""# HELP node_load1 1m load
# TYPE node_load1 gauge
node_load1 0.21
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="a\\"b\\n\\\\",} 3
empty{} +Inf
broken{a="x 1
1abc 2
toomany 1 2 3
"""


async def test_a_prometheus_endpoint_becomes_series(lab: Lab, sshd: Callable[..., Sshd]) -> None:
    host = await lab.host(sshd())
    async with server(answering(http(EXPOSITION))) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        check = await lab.made(
            "prometheus",
            {"url": url, "metrics": "node_load1,http_requests_*,empty"},
            host=host.spec.name,
            where="forward",
        )
        assert check.state == "ok" and "3 lines can't be read" in check.words, check.words
        figures = lab.figures(check)
        assert figures["check_prometheus/node_load1"] == 0.21
        assert figures["check_prometheus/http_requests_total[method=post,code=200]"] == 1027
        assert len(figures) == 3, "what is no number that a chart can show is left out"
        check = await lab.made("prometheus", {"url": url, "metrics": "node_load1,nothing"})
        assert check.state == "warning" and "it has no nothing" in check.words
    for answer, words in ((http(b"<html>"), "no metrics"), (http(EXPOSITION, 404), "status 404")):
        async with server(answering(answer)) as port:
            check = await lab.made("prometheus", {"url": f"http://127.0.0.1:{port}/"})
            assert check.state == "failed" and words in check.words


@given(
    st.text(alphabet=st.sampled_from('ab_{}=",\\ \n01.eE+-#NaInf\x1b'), max_size=200) | st.text(max_size=100)
)
def test_any_exposition_is_read_and_gives_series_that_can_be_kept(text: str) -> None:
    values, bad = parse_exposition(text)
    assert bad >= 0
    for value in values:
        assert value.series.isprintable() and not set("{}\n") & set(value.series)
