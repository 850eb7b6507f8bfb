"""A value arrives byte for byte, and nothing else runs: through the shells that hosts have."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardian_tui.engine.remote.secretly import exports
from guardian_tui.engine.runbooks.documents import Variable, check_value, render
from guardian_tui.protocol.errors import InvalidRequest
from tests.runbooks.sample import document, step

SHELLS: dict[str, list[str]] = {
    "sh": ["sh"], "dash": ["dash"], "bash": ["bash"], "bash with history": ["bash", "-o", "history", "-o", "histexpand"],
    "bash as sh": ["bash", "--posix"], "busybox": ["busybox", "sh"],
}  # fmt: skip

HOSTILE = [
    "'", '"', "''", "'\"'\"'", "a'b\"c", "\\", "\\'", "a\\", "\n", "a\nb\n", "\n\n", "$(touch ran)", "`touch ran`", "${IFS}", "$HOME", "$((1+1))", "$'\\n'",
    "; touch ran", "| touch ran", "& touch ran &", "&& touch ran", "> ran", "< decoy", "'; touch ran; '", "\"; touch ran; \"", "')\ntouch ran\n('",
    "*", "?ecoy", "[a-z]*", "{a,b}", "~", "~root", "!", "!!", "!-1", "#", " # a", "%s", "%n%n", "%", "\t", " ", "  a  ", "a b", "\u00a0", "\u2003x", "\u3000",
    "x" * 4096, "é", "日本語", "🙂", "e\u0301", "=", "a=b", "A=1 touch ran", "{{x}}", "{{y}}", "1", "true", "done", "then", "EOF", ")", "((", "]]", "\\$(touch ran)",
    "$x", "$1", "$@", "\\n", "\\0", "\\x41", "^a^b", "a\u200bb", "\u202ea",
]  # fmt: skip
REFUSED = [
    "",
    "\0",
    "a\0b",
    "-",
    "-rf",
    "--help",
    "\x1b[2J",
    "\x07",
    "\r",
    "\x7f",
    "\x85",
    "\u2028",
    "\udcff",
    "a\udc80",
    "x" * 4097,
]

TEXT = document(step("run: printf '%s\\0' -- {{x}}a {{x}}", "vars: {x: {type: text}}\n"))
_VALUES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], include_characters="\n\t'\"\\$`"),
    min_size=1,
    max_size=40,
)


def told(shell: Sequence[str], script: str, folder: Path, stdin: bytes | None = None) -> list[bytes]:
    """What a shell printed, cut at NULs; nothing but the decoy may be in its folder afterwards."""
    argv = [*shell, "-c", script] if stdin is not None else list(shell)
    fed = script.encode("utf-8", "surrogateescape") if stdin is None else stdin
    done = subprocess.run(
        argv, input=fed, capture_output=True, cwd=folder, timeout=60, check=False, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "HISTFILE": "/dev/null", "LC_ALL": "C.UTF-8"}
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b""), done.stderr[:500]
    assert [path.name for path in folder.iterdir()] == ["decoy"]
    return done.stdout.split(b"\0")[:-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a glob finds something."""
    (tmp_path / "decoy").write_text("decoy")
    return tmp_path


def shells() -> list[str]:
    """The shells; a missing one fails with its name."""
    for words in SHELLS.values():
        assert shutil.which(words[0]), f"install {words[0]}"
    return list(SHELLS)


@pytest.mark.parametrize("name", SHELLS)
def test_hostile_values_arrive_as_they_are(name: str, folder: Path) -> None:
    assert shells()
    commands = [render(TEXT, TEXT.steps[0], {"x": value}).command for value in HOSTILE]
    wanted = [part for value in HOSTILE for part in ("--", f"{value}a", value)]
    assert [one.decode() for one in told(SHELLS[name], "\n".join(commands) + "\n", folder)] == wanted


@pytest.mark.parametrize("name", SHELLS)
def test_hostile_values_in_the_environment_arrive_as_they_are(name: str, folder: Path) -> None:
    values = {f"V{n}": value for n, value in enumerate([*HOSTILE, "\x1b[2J", "\udcff\udc80", "x" * 100_000])}
    script = 'eval "$(cat)"; printf "%s\\0" ' + " ".join(f'"${name}"' for name in values)
    said = told(SHELLS[name], script, folder, exports(values))
    assert [one.decode("utf-8", "surrogateescape") for one in said] == list(values.values())


@pytest.mark.parametrize("value", REFUSED)
def test_what_no_command_should_get_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="x can't have this value"):
        render(TEXT, TEXT.steps[0], {"x": value})


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(_VALUES, min_size=1, max_size=60))
def test_any_value_that_a_type_takes_arrives_as_it_is(folder: Path, values: list[str]) -> None:
    taken = [value for value in values if not value.startswith("-")]
    script = "\n".join(render(TEXT, TEXT.steps[0], {"x": value}).command for value in taken) + "\n"
    wanted = [part for value in taken for part in ("--", f"{value}a", value)]
    for words in SHELLS.values():
        assert [one.decode() for one in told(words, script, folder)] == wanted


@pytest.mark.parametrize(
    "type_", ["host", "path", "int", "number", "datetime", "duration", "regex", "word", "text", "enum"]
)
def test_no_type_but_a_secret_takes_an_option(type_: str) -> None:
    variable = Variable(name="x", type=type_, options=("-a",))  # type: ignore[arg-type]  # of the list
    for value in ("-a", "-", "--", "-1", "--x=y"):
        with pytest.raises(InvalidRequest):
            check_value(variable, value)
