"""What of a shell's output may reach a person's terminal: letters, colours and movement, and nothing that acts on the terminal itself.

A host could set the clipboard or the title, print, resize the window, or switch on ways of the keyboard that stay behind.  So control strings (OSC,
DCS, APC, PM, SOS) are swallowed, of CSI sequences those pass that draw, and what is not finished is held back, up to a bound.
Formats: ECMA-48 5.4 and 8.3, and xterm's "Control Sequences".
"""

from __future__ import annotations

import codecs

LONGEST_SEQUENCE = 128
"""Characters of a sequence; a longer one is dropped."""
LEAVE = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b[?7h\x1b[?1049l\x1b[r\x1b(B\x0f\x1b[0m\x1b[?25h"
"""Undoes what a program that was cut off left switched on."""

_PLAIN_CONTROLS = frozenset("\x07\x08\t\n\x0b\x0c\r\x0e\x0f")
_FINALS = frozenset("ABCDEFGHIJKLMPSTXZ@`abcdefghlmnrsu")
_PRIVATE_FINALS = {"?": frozenset("hlJKnrs"), ">": frozenset("c")}
_INTERMEDIATE_FINALS = frozenset({" q", "!p"})
_ESCAPES = frozenset("78DEHM=>")
_CHARSETS = frozenset("()*+")
_STRINGS = {"P": False, "X": False, "^": False, "_": False, "]": True}
"""Letters that begin a control string, and whether BEL ends it too."""
_C1 = {"\x9b": "[", "\x90": "P", "\x98": "X", "\x9d": "]", "\x9e": "^", "\x9f": "_"}
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class HostScreen:
    """Takes bytes of a host in pieces, and gives what may be written."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sequence = ""
        """What is not finished, from its ESC on."""
        self._string: bool | None = None
        """In a control string; True: BEL ends it too."""
        self._escaped = False

    def feed(self, data: bytes) -> str:
        """What may be written of what came."""
        return "".join(self._taken(char) for char in self._decoder.decode(data))

    def _taken(self, char: str) -> str:
        if self._string is not None:
            return self._in_string(char)
        if self._sequence:
            return self._in_sequence(char)
        if char == "\x1b":
            self._sequence = char
            return ""
        if char in _C1:
            self._sequence = "\x1b"
            return self._in_sequence(_C1[char])
        if char in _PLAIN_CONTROLS:
            return char
        # C0, DEL and C1 that draw nothing; what turns text round; tags
        hidden = (
            char < " " or "\x7f" <= char <= "\x9f" or char in _BIDI or "\U000e0000" <= char <= "\U000e007f"
        )
        return "" if hidden else char

    def _in_string(self, char: str) -> str:
        ended = (
            char in "\x18\x1a\x9c" or (char == "\x07" and self._string) or (self._escaped and char == "\\")
        )
        self._escaped = char == "\x1b"
        if ended:
            self._string = None
        return ""

    def _in_sequence(self, char: str) -> str:
        if char in "\x18\x1a":
            self._sequence = ""
            return ""
        if char == "\x1b":
            self._sequence = char
            return ""
        if char < " ":
            # a control within a sequence is carried out at once
            return char if char in _PLAIN_CONTROLS else ""
        self._sequence += char
        if len(self._sequence) > LONGEST_SEQUENCE:
            self._sequence = ""
            return ""
        kind = self._sequence[1]
        if kind == "[":
            return self._in_csi(char) if len(self._sequence) > 2 else ""
        if kind in _STRINGS:
            self._sequence, self._string, self._escaped = "", _STRINGS[kind], False
            return ""
        if kind in _CHARSETS or kind in "#%":
            return "" if len(self._sequence) < 3 else self._end(kind in _CHARSETS and char.isascii())
        return self._end(kind in _ESCAPES)

    def _in_csi(self, char: str) -> str:
        if not "@" <= char <= "~":
            # parameters and what stands between; what is neither ends it
            return "" if " " <= char <= "?" else self._end(False)
        body = self._sequence[2:-1]
        between = body.lstrip("0123456789:;<=>?")
        if between:
            return self._end(body.isascii() and between + char in _INTERMEDIATE_FINALS)
        private = body[:1] if body[:1] in ("<", "=", ">", "?") else ""
        return self._end(char in (_PRIVATE_FINALS.get(private, ()) if private else _FINALS))

    def _end(self, passes: bool) -> str:
        sequence, self._sequence = self._sequence, ""
        return sequence if passes else ""
