"""A command read as the shell reads it, as far as it takes to see where a placeholder or a variable stands.

This is no parser of the shell: what it can't follow it names, and a command with values in it is then refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from guardian_tui.engine.runbooks.documents.rendering import PLACEHOLDER

_OPERATORS = frozenset(";&|()<>\n")
_VARIABLE = re.compile(r"\$(?:\{[#!]?([A-Za-z_][A-Za-z0-9_]*|[1-9@*])|([A-Za-z_][A-Za-z0-9_]*|[1-9@*]))")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_DESCRIPTOR = re.compile(r"[0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\}")
"""What may stand right before < or >, and says which of the open files is meant."""
_RESERVED = frozenset(
    {"if", "then", "elif", "else", "fi", "do", "done", "while", "until", "!", "{", "}", "time"}
)


MOST_WORDS = 300
"""Of one simple command."""
MOST_ODDITIES = 200


@dataclass(slots=True)
class Word:
    """One word of a command."""

    text: str = ""
    """As it is written, quotes included."""
    bare: str = ""
    """Without its quotes."""
    offset: int = 0
    placeholders: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    """Names that the shell puts in: ``$NAME``, in double quotes or not."""
    dynamic: bool = False
    """The shell makes it of something else, so that it may be anything, or nothing at all."""
    target: bool = False
    """It names the file of a ``<`` or ``>``, and is neither a program nor an argument."""

    @property
    def base(self) -> str:
        """Its last part, if it is a path."""
        return self.bare.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something in a command that matters to values in it."""

    code: str
    offset: int
    name: str = ""


@dataclass(slots=True)
class Reading:
    """What a command consists of."""

    commands: list[list[Word]] = field(default_factory=lambda: [[]])
    """Its simple commands, without assignments and words like ``if`` before them; files that they read and write stand last."""
    assignments: list[tuple[str, Word]] = field(default_factory=list)
    """Variables of the shell, and what each was set to."""
    functions: bool = False
    """Functions are defined: what is given to them has the names of arguments."""
    too_long: bool = False
    """It was not read to its end."""
    oddities: list[Oddity] = field(default_factory=list)
    """``quoted``, ``escaped``, ``dollar``, ``comment``, ``in-expansion``: a placeholder there.  ``substitution``, ``backtick``, ``heredoc``,
    ``arithmetic``, ``ansi-quote``, ``open-quote``: present at all.  ``bare-variable``: a variable outside of double quotes."""


def read_command(text: str) -> Reading:
    """What a command consists of."""
    scanner = _Scanner(text)
    scanner.run()
    return scanner.reading


class _Scanner:
    """Goes through the text once; a stack says in which quotes and brackets it is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._stack: list[str] = []
        self._word: Word | None = None
        self._redirects = False
        """The next word names a file."""
        self._outer: list[tuple[Word | None, list[Word]]] = []
        self.reading = Reading()
        self._command = self.reading.commands[0]

    def run(self) -> None:
        """Read all of it."""
        text = self._text
        while self._at < len(text) and not self.reading.too_long:
            self._char(text[self._at])
        self._close_word()
        if self._stack:
            self._odd("open-quote", len(text) - 1)

    @property
    def _state(self) -> str:
        return self._stack[-1] if self._stack else ""

    @property
    def _in_double_quotes(self) -> bool:
        inner = next((one for one in reversed(self._stack) if one != "${"), "")
        return inner == '"'

    def _odd(self, code: str, offset: int, name: str = "") -> None:
        self.reading.oddities.append(Oddity(code, offset, name))
        self.reading.too_long = len(self.reading.oddities) > MOST_ODDITIES or self.reading.too_long

    def _char(self, char: str) -> None:
        match = PLACEHOLDER.match(self._text, self._at)
        if match is not None:
            self._placeholder(match)
        elif self._state == "'":
            self._plain(char)
            if char == "'":
                self._stack.pop()
        elif char == "\\":
            self._escape()
        elif self._state == '"':
            self._in_double(char)
        elif self._state == "${":
            self._in_braces(char)
        elif char == "$" or char == "`":
            self._dollar(char)
        elif char in "'\"":
            self._word_here()
            self._plain(char)
            self._stack.append(char)
        else:
            self._outside(char)

    def _outside(self, char: str) -> None:
        if char == "#" and self._word is None:
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            for match in PLACEHOLDER.finditer(self._text, self._at, end):
                self._odd("comment", match.start(), match[1])
            self._at = end
        elif char in _OPERATORS:
            self._operator(char)
        elif char.isspace():
            self._close_word()
            self._at += 1
        else:
            self._word_here()
            self._plain(char)

    def _operator(self, char: str) -> None:
        if char in "<>" and self._word is not None and _DESCRIPTOR.fullmatch(self._word.text):
            self._word = None
        self._close_word()
        redirects, self._redirects = self._redirects, False
        rest = self._text[self._at :]
        if re.match(r"\(\s*\)", rest):
            self.reading.functions = True
        if rest.startswith("<<<"):
            self._at += 3
            return
        if rest.startswith("<<"):
            self._odd("heredoc", self._at)
        elif rest.startswith("((") and not self._command:
            self._odd("arithmetic", self._at)
        elif rest.startswith(("<(", ">(")):
            self._odd("substitution", self._at)
        self._at += 2 if rest[:2] in ("<<", ">>") else 1
        if char == ")" and self._state == "$(":
            self._stack.pop()
            self._word, self._command = self._outer.pop()
            return
        if char == "(":
            self._stack.append(char)
        elif char == ")" and self._state == "(":
            self._stack.pop()
        if char in "<>":
            self._redirects = not rest.startswith(("<(", ">("))
        elif redirects and self._text[self._at - 2 : self._at] in ("<&", ">&", ">|"):
            self._redirects = True
        else:
            self._begin()

    def _begin(self) -> None:
        self._command = []
        self.reading.commands.append(self._command)

    def _dollar(self, char: str) -> None:
        rest = self._text[self._at :]
        self._word_here().dynamic = True
        if char == "`":
            self._odd("backtick", self._at)
            self._plain(char)
        elif rest.startswith("$(("):
            self._odd("arithmetic", self._at)
            self._substitution()
        elif rest.startswith("$("):
            self._odd("substitution", self._at)
            self._substitution()
        elif rest.startswith(("$'", '$"')) and not self._in_double_quotes:
            self._odd("ansi-quote", self._at)
            self._plain("$")
        elif (match := _VARIABLE.match(self._text, self._at)) is not None:
            self._variable(match)
        else:
            if PLACEHOLDER.match(self._text, self._at + 1):
                self._odd("dollar", self._at + 1)
            self._plain(char)

    def _substitution(self) -> None:
        self._plain("$(")
        self._stack.append("$(")
        # what stands inside is commands of its own
        self._outer.append((self._word, self._command))
        self._word = None
        self._begin()

    def _variable(self, match: re.Match[str]) -> None:
        name = match[1] or match[2]
        word = self._word_here()
        word.variables.append(name)
        if not self._in_double_quotes and not ASSIGNMENT.match(word.text):
            self._odd("bare-variable", match.start(), name)
        self._plain(match[0])
        if match[1]:
            self._stack.append("${")

    def _in_braces(self, char: str) -> None:
        if char in "$`":
            self._dollar(char)
            return
        self._plain(char)
        if char == "}":
            self._stack.pop()
        elif char in "'\"":
            self._stack.append(char)

    def _in_double(self, char: str) -> None:
        if char in "$`":
            self._dollar(char)
            return
        self._plain(char)
        if char == '"':
            self._stack.pop()

    def _escape(self) -> None:
        if PLACEHOLDER.match(self._text, self._at + 1):
            self._odd("escaped", self._at + 1)
            self._plain("\\")
            return
        if self._text.startswith("\n", self._at + 1):
            self._at += 2
            return
        self._word_here()
        self._plain(self._text[self._at : self._at + 2])

    def _placeholder(self, match: re.Match[str]) -> None:
        word = self._word_here()
        word.placeholders.append(match[1])
        if self._state in ("'", '"'):
            self._odd("quoted", match.start(), match[1])
        elif self._state == "${":
            self._odd("in-expansion", match.start(), match[1])
        self._plain(match[0])

    def _word_here(self) -> Word:
        if self._word is None:
            self._word = Word(offset=self._at, target=self._redirects)
            self._redirects = False
        return self._word

    def _plain(self, text: str) -> None:
        word = self._word_here()
        word.text += text
        word.bare += (
            text
            if self._state == "'" and text != "'"
            else text.strip("'\"")
            if len(text) == 1
            else text.removeprefix("\\")
        )
        self._at += len(text)

    def _close_word(self) -> None:
        word, self._word = self._word, None
        if word is None:
            return
        command = self._command
        # files may be named before the program
        place = len(command)
        while place and not word.target and command[place - 1].target:
            place -= 1
        if not place and not word.target and (assignment := ASSIGNMENT.match(word.text)):
            self.reading.assignments.append((assignment[0].rstrip("+="), word))
            return
        if not command and word.bare in _RESERVED and not word.target:
            return
        command.insert(place, word)
        self.reading.too_long = len(self._command) > MOST_WORDS or self.reading.too_long
