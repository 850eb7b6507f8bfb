"""What a command may not do with values: be where quoting does not reach, or be code for a program that runs what it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise

from guardian_tui.engine.runbooks.documents.findings import Severity
from guardian_tui.engine.runbooks.documents.model import Variable
from guardian_tui.engine.runbooks.documents.programs import (
    BECOMES,
    CODE_AFTER,
    CODE_FIRST,
    NO_DASHES,
    RUNS_CODE,
    SHELLS,
    STARTS,
    may_follow,
)
from guardian_tui.engine.runbooks.documents.rendering import placeholders
from guardian_tui.engine.runbooks.documents.shell import ASSIGNMENT, Oddity, Reading, Word, read_command

Note = Callable[[str, str, str, int, Severity], None]
"""Takes a code, words, a hint, an offset and how bad it is."""

BY_ENVIRONMENT = 'Hand the value over by env: {NAME: "{{x}}"} and write "$NAME" here.'
AS_ARGUMENT = "Hand it over as an argument, or on standard input."
MOST_LEVELS = 3
"""Shells within shells that are looked into."""
_ARGUMENTS = frozenset("123456789@*")
_NEVER_OPTIONS = frozenset({"int", "number", "datetime", "duration"})
_PLACES = {
    "quoted": ("stands in quotes", "Take the quotes away: the value is quoted by itself."),
    "escaped": ("stands behind a backslash, which would undo its quotes", "Take the backslash away."),
    "dollar": ("stands behind a $", "Take the $ away."),
    "comment": ("stands in a comment, which a line break in it would end", "Take it out of the comment."),
    "in-expansion": ("stands in ${…}", BY_ENVIRONMENT),
}
_CONSTRUCTS = {
    "substitution": "$(…)", "backtick": "backticks", "heredoc": "a heredoc", "arithmetic": "arithmetic", "ansi-quote": "$'…'",
}  # fmt: skip


def check_command(text: str, env: Collection[str], variables: Mapping[str, Variable], note: Note) -> Reading:
    """Note where values in a command would not be safe.

    Args:
        text: the command.
        env: names in its environment that have values.
        variables: those that there are; others are named elsewhere.
        note: takes the findings.
    """
    for name, offset in placeholders(text):
        if name in variables and variables[name].secret:
            note(
                "secret-in-command",
                f"The secret {name} would be seen in the list of processes.",
                BY_ENVIRONMENT,
                offset,
                "error",
            )
    return _Check(text, env, variables, note, 0).run()


class _Check:
    """One reading of one command, by a shell so many levels down."""

    def __init__(
        self, text: str, env: Collection[str], variables: Mapping[str, Variable], note: Note, depth: int
    ) -> None:
        self._text = text
        self._reading = read_command(text)
        self._env = _carriers(self._reading, env)
        self._used = any(True for _ in placeholders(text))
        self._variables = variables
        self._note = note
        self._depth = depth

    def _error(self, code: str, words: str, hint: str, offset: int) -> None:
        self._note(code, words, hint, offset, "error")

    def run(self) -> Reading:
        """Look at all of it."""
        if self._reading.too_long:
            self._error(
                "too-long",
                "This command is too long to be understood.",
                "Put it into a script on the host, or into several steps.",
                0,
            )
            return self._reading
        for odd in self._reading.oddities:
            self._oddity(odd)
        for command in self._reading.commands:
            if command:
                self._simple(command)
        return self._reading

    def _oddity(self, odd: Oddity) -> None:
        if odd.code in _PLACES:
            words, hint = _PLACES[odd.code]
            self._error(f"placeholder-{odd.code}", f"A placeholder {words}.", hint, odd.offset)
        elif odd.code == "open-quote":
            self._error("open-quote", "A quote or a bracket is not closed.", "Close it.", odd.offset)
        elif odd.code in _CONSTRUCTS and self._used:
            words = f"A command with placeholders has {_CONSTRUCTS[odd.code]}."
            self._error("placeholder-with-code", words, BY_ENVIRONMENT, odd.offset)
        elif odd.code == "arithmetic" and (name := self._counted(odd.offset)):
            words = f"Arithmetic would look into the value of {name}, which some shells take for code."
            self._error(
                "value-as-code", words, "Compare numbers with [ … -lt … ], count with expr.", odd.offset
            )
        elif odd.code == "bare-variable" and odd.name in self._env:
            words = f"${odd.name} stands outside of double quotes: the shell would split its value and look for files."
            self._error("bare-variable", words, f'Write "${odd.name}".', odd.offset)

    def _counted(self, offset: int) -> str:
        """The first variable with a value in an arithmetic expression."""
        end = self._text.find("))", offset)
        inner = self._text[offset : end if end > 0 else len(self._text)]
        return next(
            (name for name in re.findall(r"[A-Za-z_][A-Za-z0-9_]*|[1-9@*]", inner) if name in self._env), ""
        )

    def _simple(self, command: list[Word]) -> None:
        plain = [word for word in command if not word.target]
        if not plain:
            # the files of { …; } > file
            return
        for place in _programs(plain):
            word, later = plain[place], plain[place + 1 :]
            if self._valued(word) or (word.dynamic and any(map(self._valued, later))):
                hint = "Write the program's name; let a choose step lead to one of several."
                self._error(
                    "placeholder-as-program", "A value would say which program runs.", hint, word.offset
                )
        for place, word in enumerate(plain):
            runs_code = word.base in RUNS_CODE and may_follow(command[:place])
            becomes = any(one.bare in BECOMES.get(word.base, ()) for one in command[place + 1 :])
            # usermod --shell /bin/bash names one, and starts none
            is_shell = word.base in SHELLS and (not place or command[place - 1].bare not in ("--shell", "-s"))
            if is_shell or runs_code or becomes:
                self._code(command[place:])
            elif word.base in CODE_AFTER:
                self._program(command[place:])
        self._options(plain)

    def _valued(self, word: Word) -> bool:
        return bool(word.placeholders) or any(name in self._env for name in word.variables)

    def _code(self, command: list[Word]) -> None:
        """A command that begins with something that runs what it is given."""
        head, suspects = command[0], command[1:]
        if self._used:
            words = f"A command with placeholders has {head.bare[:40]}, which runs what it is given."
            self._error("placeholder-with-code", words, BY_ENVIRONMENT, head.offset)
        if head.base in SHELLS:
            # sh -c '…' x "$NAME" hands a value over as an argument; the code before it must be one that stands here as it is
            code = next((n for n, one in enumerate(command) if n and not one.bare.startswith("-")), 0)
            if code and not any(one.dynamic for one in command[: code + 1]):
                suspects = command[1 : code + 1]
        for word in suspects:
            if name := next((name for name in word.variables if name in self._env), ""):
                self._error(
                    "value-as-code",
                    f"{head.bare[:40]} would run the value of {name} as code.",
                    AS_ARGUMENT,
                    word.offset,
                )
            if not word.dynamic and ("$" in word.bare or "`" in word.bare) and self._depth < MOST_LEVELS:
                self._within(word)

    def _within(self, word: Word) -> None:
        """Code in quotes, which a shell reads once more: it sees the environment, and gets values as arguments."""

        def note(code: str, words: str, hint: str, _offset: int, severity: Severity) -> None:
            if severity == "error" and code != "open-quote":
                self._error(code, f"In the quoted code: {words}", hint, word.offset)

        _Check(word.bare, {*self._env, *_ARGUMENTS}, {}, note, self._depth + 1).run()

    def _program(self, command: list[Word]) -> None:
        """A command whose arguments are code in part: SQL, or a program of sed or awk."""
        head, code = command[0], []
        options = CODE_AFTER[head.base]
        for before, word in pairwise(command):
            glued = any(word.bare.startswith(option) and word.bare != option for option in options)
            if before.bare in options or glued:
                code.append(word)
        if not code and head.base in CODE_FIRST:
            code = [one for one in command[1:] if not one.bare.startswith("-")][:1]
        hint = (
            "Feed the SQL by stdin: with :'x', and give psql -v x={{x}}."
            if head.base == "psql"
            else "Hand the value over as an argument or in the environment."
        )
        for word in code:
            if self._valued(word):
                self._error("value-as-code", f"{head.base} would run a value as code.", hint, word.offset)

    def _options(self, command: list[Word]) -> None:
        if command[0].base in NO_DASHES or any(one.bare == "--" for one in command):
            return
        for before, word in pairwise(command):
            first = (
                self._variables.get(word.placeholders[0])
                if word.placeholders and word.text.startswith("{{")
                else None
            )
            # what follows an option is its argument
            if (
                first
                and first.type not in _NEVER_OPTIONS
                and not first.pattern
                and not before.bare.startswith("-")
            ):
                words = "No -- stands before this value. Its type refuses a leading -, but a reader can't see that."
                self._note(
                    "no-double-dash",
                    words,
                    "Write -- before it, if the program knows that.",
                    word.offset,
                    "hint",
                )
                return


def _carriers(reading: Reading, env: Collection[str]) -> set[str]:
    """Variables that hold values: those of the environment, and those that are set to what holds one."""
    carriers = {*env, *(_ARGUMENTS if reading.functions else ())}
    sets = list(reading.assignments)
    for command in filter(None, reading.commands):
        first, *rest = command
        if first.base == "for" and rest:
            sets += ((rest[0].bare, word) for word in rest[1:])
        elif first.base == "set":
            sets += ((name, word) for word in rest for name in _ARGUMENTS)
        elif first.base in ("export", "readonly", "local"):
            sets += ((word.bare.partition("=")[0], word) for word in rest if "=" in word.bare)
    before = -1
    while before != len(carriers):
        before = len(carriers)
        carriers |= {
            name for name, word in sets if word.placeholders or not carriers.isdisjoint(word.variables)
        }
    return carriers


def _programs(command: list[Word]) -> list[int]:
    """Places of the words that name a program: the first, and the one that follows a program which starts another."""
    found, place = [0], 0
    while (with_word := STARTS.get(command[place].base)) is not None:
        # the first word of timeout is how long
        place += 1 + (command[place].base == "timeout")
        while place < len(command) and (
            command[place].bare.startswith("-") or ASSIGNMENT.match(command[place].bare)
        ):
            place += 1 + (command[place].bare in with_word)
        if place >= len(command):
            break
        found.append(place)
    return found
