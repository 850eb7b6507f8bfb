"""What is too much of something in a document, or is nothing of what is asked for, is told with its place."""

from __future__ import annotations

import pytest

from guardian_tui.engine.runbooks.documents import Variable, check_value, render_text
from guardian_tui.engine.runbooks.documents.fields import MOST_WORDS
from guardian_tui.engine.runbooks.documents.findings import MOST_FINDINGS, Notes
from guardian_tui.engine.runbooks.documents.front import MOST_VARIABLES
from guardian_tui.engine.runbooks.documents.judging import wanted_series
from guardian_tui.engine.runbooks.documents.reading import MOST_DEPTH
from guardian_tui.engine.runbooks.documents.steps import MOST_ANSWERS
from guardian_tui.protocol.errors import InvalidRequest
from tests.runbooks.sample import document, found, step, steps

WORDS = ", ".join(f"w{n}" for n in range(MOST_WORDS + 1))
VARIABLES = "".join(f"  v{n}: {{type: int}}\n" for n in range(MOST_VARIABLES + 1))
ANSWERS = ", ".join(f"a{n}: end" for n in range(MOST_ANSWERS + 1))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (step("run: echo\n? [a, b]\n: c"), "odd-key", "no plain text"),
        (step(f"run: echo\nroles: [{WORDS}]"), "too-many", f"roles has more than {MOST_WORDS} entries"),
        (step("run: echo", f"vars:\n{VARIABLES}"), "too-many", f"more than {MOST_VARIABLES} variables"),
        (step("run: echo", "vars:\n  Big-Name: {type: int}\n"), "bad-name", "'Big-Name' is no name of a variable"),
        (step("run: echo", "vars:\n  v: {type: regex, pattern: '('}\n"), "bad-regex", "RE2"),
        (step("run: echo", "vars: seven\n"), "no-mapping", "vars is no mapping"),
        (steps("```step how-many\ninput: How many?\ntype: int\n```\n"), "bad-name", "can't have a -"),
        (step("run: echo\ntimeout: 0s"), "no-duration", "timeout is nothing"),
        (step(f"choose: Which?\noptions: {{{ANSWERS}}}"), "too-many", f"more than {MOST_ANSWERS} answers"),
    ],
)  # fmt: skip
def test_it_is_told_with_its_place(text: str, code: str, words: str) -> None:
    told = found(text)
    assert code in told, told
    assert words in told[code] and told[code][0].isdigit()


def test_nothing_where_a_mapping_may_stand_is_none() -> None:
    assert not found(step("run: echo", "vars:\n"))


def test_names_of_steps_and_variables_that_are_not_there_are_faults_of_ours() -> None:
    read = document(step("run: echo", "vars:\n  v: {type: int}\n"))
    assert (read.step("one").name, read.variable("v").name) == ("one", "v")
    with pytest.raises(KeyError):
        read.step("two")
    with pytest.raises(KeyError):
        read.variable("w")


def test_a_text_with_a_placeholder_of_nothing_is_refused() -> None:
    read = document(step("run: echo", "vars:\n  v: {type: int}\n"))
    with pytest.raises(InvalidRequest, match="other is no variable"):
        render_text(read, "{{other}}", {"v": "1"})


def test_hosts_by_filter_and_by_name() -> None:
    by_filter = document(step("run: echo").replace("hosts: alert", "hosts: {filter: role=web, most: 9}"))
    assert (by_filter.hosts.origin, by_filter.hosts.filter, by_filter.hosts.most) == ("filter", "role=web", 9)
    by_name = document(step("run: echo").replace("hosts: alert", "hosts: {names: [web-1, web-2]}"))
    assert (by_name.hosts.origin, by_name.hosts.names) == ("names", ("web-1", "web-2"))


def test_a_part_is_held_to_what_a_part_may_be() -> None:
    parts = {"_own.md": "---\nid: own\n---\n```step more\ncheck: id\n```\n"}
    parts |= {f"_{n}.md": f"```include _{n + 1}.md\n```\n".replace("_9.md", "_8.md") for n in range(9)}

    def load(path: str) -> bytes:
        return parts[path].encode()

    told = found(steps("```include _own.md\n```\n"), load=load)
    assert told["front-of-part"].startswith("1:1 A part that is included has no front matter")
    told = found(steps("```include _0.md\n```\n"), load=load)
    assert f"more than {MOST_DEPTH} levels" in told["bad-include"]


def test_a_fence_of_another_language_is_prose_and_one_in_capitals_is_told() -> None:
    read = document(step("run: echo") + "```sh\nrm -rf /\n```\n")
    assert [one.name for one in read.steps] == ["one"] and "rm -rf /" in read.epilogue
    assert (
        "Write it in small letters."
        in found(step("run: echo") + "```Step: two\nrun: id\n```\n")["fence-case"]
    )


def test_a_variable_that_is_no_mapping_and_a_retry_that_is_none_are_told() -> None:
    assert "no-mapping" in found(step("run: echo", "vars:\n  v: seven\n"))
    for retry, (times, wait) in {"3": (3, 5.0), "{times: 4, wait: 1s}": (4, 1.0)}.items():
        read = document(step(f"run: echo\nretry: {retry}"))
        assert (read.steps[0].retry.times, read.steps[0].retry.wait_seconds) == (times, wait)  # type: ignore[union-attr]  # there
    assert "no-number" in found(step("run: echo\nretry: [1]")) or found(step("run: echo\nretry: [1]"))


def test_what_is_found_twice_in_one_place_is_told_once() -> None:
    notes = Notes("a.md")
    for _ in range(2):
        notes.add("odd", "It is odd.", line=3)
    assert [str(one) for one in notes.all()] == ["a.md:3:1: error: It is odd. [odd]"]


def test_quoted_code_is_held_to_its_errors_alone() -> None:
    # what a shell within would say of a bracket or of -- is no fault of the quotes
    assert not found(step('run: "sh -c \'cat -- \\"$1\\" \\"\' x \\"$N\\""\nenv: {N: a}'))


def test_a_text_keeps_what_has_no_value_yet() -> None:
    read = document(step("run: echo", "vars:\n  v: {type: int}\n"))
    assert render_text(read, "{{v}} of {{w}}", {}, partial=True) == "{{v}} of {{w}}"
    assert render_text(read, "{{v}} of {{w}}", {"v": "3"}, partial=True) == "3 of {{w}}"


def test_a_condition_and_its_opposite_want_the_same_series() -> None:
    assert wanted_series("not (load1 > 2 or uptime_seconds < 9)", {}) == ("load1", "uptime_seconds")


def test_no_more_findings_are_told_than_anybody_reads() -> None:
    notes = Notes("a.md")
    for number in range(MOST_FINDINGS + 50):
        notes.add("odd", f"It is odd {number}.", line=number + 1)
    told = notes.all()
    assert (len(told), told[-1].code) == (MOST_FINDINGS + 1, "too-many-findings")


def test_an_answer_is_one_of_those_that_there_are() -> None:
    variable = Variable(name="x", type="enum", options=("blue", "green"))
    assert check_value(variable, "blue") == "blue"
    with pytest.raises(InvalidRequest, match="Choose one of blue, green"):
        check_value(variable, "red")
