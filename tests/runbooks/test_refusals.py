"""What the reader lets pass is safe: random commands with placeholders and variables in them, with hostile values, through real shells."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardian_tui.engine.remote.secretly import exports
from guardian_tui.engine.runbooks.documents import Variable
from guardian_tui.engine.runbooks.documents.commands import check_command
from guardian_tui.engine.runbooks.documents.rendering import PLACEHOLDER

VARIABLES = {"x": Variable(name="x")}
ATTACKS = [
    "$(: >ran)", "`: >ran`", "; : >ran;", "'; : >ran; '", "\"; : >ran; \"", "\n: >ran\n", "a\n: >ran\nE\n: >ran\n", "x) : >ran;;", "} : >ran; {", "1 ]] && : >ran",
    "a[$(: >ran)]", "& : >ran &", "| : >ran", "> ran", "${x:=$(: >ran)}", "\\'; : >ran; \\'", "# \n: >ran", "') ; : >ran; ('", ": >ran", "eval : >ran", "./p",
]  # fmt: skip
PIECES = [
    "{{x}}", "{{x}}", "{{ x }}", "{{x}}{{x}}", "\"$X\"", "$X", "${X}", "\"${X}\"", "\"${X:-a}\"", "echo ", "echo ", "printf %s ", "test -n ", "true ", "eval ", "sh -c ", "bash -c ",
    "env ", "xargs ", "case a in ", "esac", "in ", "if ", "then ", "fi", "for v in ", "do ", "done", "while ", "[[ ", " ]]", "[ ", " ]", "A=", "A={{x}} ", "A=$X ", "export A=", "'", "'", '"', '"',
    "\\", "\\\n", "$", "${", "}", "$(", "$((", "((", "))", "(", ")", "`", "#", " # ", "<<E\n", "<<'E'\n", "<<-E\n", "\nE\n", "<<<", "<(", "$'", '$"', "~", "=", " ", " ", " ", ";", "; ",
    "\n", "\n", "&&", "||", "|", "&", ">o", "<", "--", "-c ", "-e ", "1", "a", "b ", "!", "{ ", "; }", "$1", "$@", "sed ", "awk ", "trap ", "EXIT", ". ", "source ", "let ", "a[", "]",
]  # fmt: skip
LIKELY = [
    ["echo", "printf %s", "test -n", "A=1 echo", "! true ||  echo", "if true; then echo a; fi; echo", "eval", "sh -c", "case {{x}} in a) true;; esac; echo", "sh -c 'echo \"$1\"' x", "env", "printf", "[ 1 -eq"],
    ["", "a", "'b c'", '"d $1"', "$(echo)", "`echo`", "\"$(echo '\"')\"", "\\'", "'\"'", "$'\\''", "# c\necho", "<<E\nE\necho", '"`echo`"', "${A:-'}'}", "-v", "-n"],
    ["", "a", "--n=", "'", '"', "\\", "$", "${X:-", '"$X"', "$X", "~", "$(("], ["{{x}}", "{{x}}b", '"$X"', "${X}"],
    ["", "'", '"', "}", ")", ";", ' "$X"', " {{x}}", "\n{{x}}", " | cat", " >o", "\nE", "))"],
]  # fmt: skip
"""One of each, one after the other: what is likely to come through; of the pieces above any number in any order."""
_COMMANDS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)
_LIKELY = st.builds("{} {} {}{}{}".format, *(st.sampled_from(parts) for parts in LIKELY))
SHELLS = (["dash"], ["bash"], ["busybox", "sh"])


def let_pass(command: str) -> bool:
    """Whether the reader has no error against a command."""
    found: list[str] = []
    check_command(
        command,
        {"X": "{{x}}"},
        VARIABLES,
        lambda code, _words, _hint, _offset, severity: found.append(code) if severity == "error" else None,
    )
    return not found


def ran_at(commands: list[tuple[str, str]], shell: list[str], folder: Path) -> int | None:
    """Which command an attack came through with; each is one process, so that a broken one spoils no other."""
    program = folder / "p"
    if not program.exists():
        program.write_text("#!/bin/sh\n: >ran\n")
        program.chmod(0o755)
    lines = []
    for number, (command, attack) in enumerate(commands):
        quoted = shlex.quote(attack)
        fed = exports({"X": attack}).decode() + PLACEHOLDER.sub(lambda _, quoted=quoted: quoted, command)
        lines.append(
            f"{shlex.join([*shell, '-c', fed])} </dev/null >/dev/null 2>&1; [ -e ran ] && {{ echo {number}; rm -f ran; }}; [ -e o ] && rm -f o"
        )
    done = subprocess.run(
        ["dash"], input="\n".join(lines), capture_output=True, text=True, cwd=folder, timeout=100, check=False, env={"PATH": "/usr/bin:/bin"}
    )  # fmt: skip
    return int(done.stdout.split()[0]) if done.stdout.strip() else None


_TRIED = st.lists(st.tuples(_LIKELY | _COMMANDS, st.sampled_from(ATTACKS)), min_size=30, max_size=40)
_SLOW = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def judge_all(tried: list[tuple[str, str]], folder: Path) -> None:
    """None of those that are let pass runs its value, in any shell."""
    passed = [one for one in tried if re.search(r"\$\{?X|\{\{", one[0]) and let_pass(one[0])]
    for shell in SHELLS:
        place = ran_at(passed, shell, folder)
        assert place is None, (shell, passed[place])


@settings(_SLOW, max_examples=5)
@given(_TRIED)
def test_no_command_that_is_let_pass_runs_a_value(tmp_path: Path, tried: list[tuple[str, str]]) -> None:
    judge_all(tried, tmp_path)


@pytest.mark.soak
@settings(_SLOW, max_examples=500)
@given(_TRIED)
def test_none_of_many_commands_that_are_let_pass_runs_a_value(
    tmp_path: Path, tried: list[tuple[str, str]]
) -> None:
    judge_all(tried, tmp_path)


def test_the_attacks_do_come_through_where_they_are_refused(tmp_path: Path) -> None:
    for command, attack in (
        ("eval {{x}}", ": >ran"),
        ("echo '{{x}}'", "; : >ran;"),
        ('sh -c "echo $X"', "$(: >ran)"),
        ("cat <<E\n{{x}}\nE", "$(: >ran)"),
        ("echo ok # {{x}}", "\n: >ran\n"),
        (">o {{x}}", "./p"),
        ("echo \\>& {{x}}", "./p"),
    ):
        assert ran_at([(command, attack)], ["dash"], tmp_path) == 0 and not let_pass(command)
