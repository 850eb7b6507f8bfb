"""What is too much of something in a document, or is nothing of what is asked for, is told with its place."""

from __future__ import annotations

import pytest

from guardian_tui.engine.runbooks.documents import render_text
from guardian_tui.engine.runbooks.documents.fields import MOST_WORDS
from guardian_tui.engine.runbooks.documents.front import MOST_VARIABLES
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
