"""The ways through a document lead somewhere, past the steps that give their values, and never round without a person."""

from __future__ import annotations

import pytest

from tests.runbooks.sample import document, flow, found, step


@pytest.mark.parametrize(
    ("code", "bodies"),
    [
        ("double-step", {"a": "run: id", "A": "run: id"}),
        ("unknown-step", {"a": "run: id\nnext: c", "b": "run: id"}),
        ("unknown-step", {"a": "run: id\non_fail: c", "b": "run: id"}),
        ("unknown-step", {"a": "choose: Which?\noptions: {x: c, y: b}", "b": "run: id"}),
        ("next-of-choose", {"a": "choose: Which?\noptions: {x: end}\nnext: b", "b": "run: id"}),
        ("unreachable-step", {"a": "run: id\nnext: c", "b": "run: id", "c": "run: id"}),
        ("loop-without-person", {"a": "check: id", "b": "check: id\non_fail: a"}),
        ("loop-without-person", {"a": "run: id\nnext: a"}),
        ("loop-without-person", {"a": "run: id", "b": "wait: 5s", "c": "notify: Hallo.\nnext: b"}),
    ],
)  # fmt: skip
def test_a_way_that_leads_nowhere_is_refused(code: str, bodies: dict[str, str]) -> None:
    text = flow(**bodies).replace("step A", "step a")
    assert code in found(text), found(text)


def test_what_leads_back_past_a_person_is_no_fault() -> None:
    assert found(flow(a="instruct: Look.", b="check: id\non_fail: a\nnext: end")) == {}
    assert found(flow(a="run: id\non_fail: c", b="run: id\nnext: end", c="run: id")) == {}
    assert (
        found(flow(a="choose: Which?\noptions: {x: b, y: end, z: stop}", b="run: id\non_fail: rollback"))
        == {}
    )


def test_the_loop_is_named() -> None:
    text = flow(a="check: id", b="check: id", c="check: id\non_fail: b")
    assert "b → c → b" in found(text)["loop-without-person"]


def test_a_value_that_a_way_leaves_out_is_told() -> None:
    way = flow(
        a="choose: Which?\noptions: {x: b, y: c}",
        b="input: How many?\ntype: int",
        c="check: head -n {{b}} -- /etc/passwd",
    )
    assert found(way)["may-be-missing"].startswith("16:16 ")
    assert found(way.replace("type: int", "type: int\ndefault: 5")) == {}
    assert found(flow(b="input: How many?", c="check: head -n {{b}} -- /etc/passwd")) == {}
    captured = flow(a="check: id\ncapture: {me: '.*'}\non_fail: b", b="check: id -- {{me}}")
    assert "may-be-missing" in found(captured)
    assert found(captured.replace("\non_fail: b", "")) == {}
    assert found(flow(a="check: id\ncapture: {me: '.*'}\nexpect: me == 'root'")) == {}


def test_a_value_that_nothing_gives_is_refused() -> None:
    assert "never-captured" in found(step("run: id", "vars: {x: {from: capture}}\n"))
    assert "unknown-variable" in found(step("run: id\nenv: {A: '{{x}}'}"))
    assert "unknown-variable" in found(step("instruct: Look at {{x}}."))
    assert "unknown-variable" in found(step("run: id\nhosts: '{{x}}'"))
    assert "unknown-variable" in found(step("run: id\nhosts: {filter: 'label={{x}}'}"))
    assert "no-host" in found(step("run: id\nhosts: '{{x}}'", "vars: {x: {}}\n"))
    assert "secret-in-text" in found(step("notify: It is {{x}}.", "vars: {x: {type: secret}}\n"))


@pytest.mark.parametrize("name", ["exit", "and", "state", "load1"])
def test_words_of_conditions_are_no_variables(name: str) -> None:
    assert "reserved-variable" in found(step("run: id", f"vars: {{{name}: {{}}}}\n"))


@pytest.mark.parametrize(
    "body", ["run: id", "check: id", "silence: Work.", "wait: state == 'up'", "wait: cpu_busy_ratio < 50%"]
)
def test_a_step_that_acts_says_where(body: str) -> None:
    assert "no-hosts" in found(step(body).replace("hosts: alert\n", ""))
    if not body.startswith("wait: "):
        assert found(step(body + "\nhosts: engine").replace("hosts: alert\n", "")) == {}


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("unknown-variable", "run: id\nexpect: exti == 0"),
        ("bad-expression", "run: id\nexpect: exit = 0"),
        ("metric-in-expect", "run: id\nexpect: load1 < 5"),
        ("metric-in-expect", "run: id\nexpect: filesystem_used_ratio{x} < 5%"),
        ("unknown-metric", "wait: filesystem_usd_ratio{x} < 5%"),
        ("metric-of-host", "wait: load1{x} < 5"),
        ("metric-of-instance", "wait: filesystem_used_ratio < 5%"),
        ("empty-instance", "wait: filesystem_used_ratio{''} < 5%"),
        ("unknown-variable", "wait: lod1 < 5"),
        ("unknown-variable", "wait: filesystem_used_ratio{mount} < 5%"),
    ],
)
def test_a_condition_knows_its_names(code: str, body: str) -> None:
    assert code in found(step(body)), found(step(body))


def test_a_condition_is_told_with_its_place() -> None:
    assert found(step("run: id\nexpect: exit == 0 and outptu == 1"))["unknown-variable"].startswith(
        "9:23 There is no variable 'outptu'. Did you mean output?"
    )
    assert found(step("wait: lod1 < 5 for 2m"))["unknown-variable"].endswith("Did you mean load1?")


def test_hosts_and_batches_are_read() -> None:
    read = document(flow(
        a="run: id\nhosts: {filter: 'role=web', most: 20}\nfanout: {serial: [1, 10%, 100%], max_failures: 5%, settle: 30s, gate: false}\nretry: {times: 3, wait: 1m}",
        b="run: id\nhosts: [web-1, web-2]", c="wait: filesystem_used_ratio{'/var'} < 90% for 2m", d="wait: 30s",
        e="silence: Work.\nduration: 2h\nrules: [disk_low]\nmaintenance: true", f="backup: nightly\noperation: check",
        g="approve: Go on?\nquorum: 2\nexpires: 30m\nroles: [admin]", h="notify: Done.\nchannels: [mail]", i="run: id\nretry: 3\ndangerous: false",
    ))  # fmt: skip
    a, b, c, d, e, f, g, h, i = read.steps
    assert a.hosts is not None and (a.hosts.origin, a.hosts.filter, a.hosts.most) == (
        "filter",
        "role=web",
        20,
    )
    assert (
        a.fanout is not None
        and not a.fanout.gate
        and a.fanout.settle_seconds == 30
        and a.fanout.max_failures.of(200) == 10
    )
    assert a.retry is not None and (a.retry.times, a.retry.wait_seconds) == (3, 60.0)
    assert b.hosts is not None and b.hosts.names == ("web-1", "web-2")
    assert (c.text, c.hold_seconds, c.timeout_seconds) == (
        "filesystem_used_ratio{'/var'} < 90%",
        120.0,
        900.0,
    )
    assert (d.text, d.wait_seconds) == ("", 30.0)
    assert (e.duration_seconds, e.rules, e.maintenance) == (7200.0, ("disk_low",), True)
    assert (f.text, f.operation) == ("nightly", "check")
    assert (g.quorum, g.expires_seconds, g.roles) == (2, 1800.0, ("admin",))
    assert h.channels == ("mail",) and i.retry is not None and i.retry.times == 3 and not i.dangerous
