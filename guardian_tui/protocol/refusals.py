"""Why a value can't be, in words: what msgspec says of a field is for programmers."""

from __future__ import annotations

import re

import msgspec

_WANTED = {
    "int": "a whole number", "float": "a number", "str": "words", "bool": "yes or no", "array": "several", "object": "names and values",
}  # fmt: skip
_AT = re.compile(r"^(?P<said>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_EXPECTED = re.compile(r"^Expected `(?P<wanted>[^`]+)`(?P<more>.*)$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `([^`]+)`$")
_PATTERN = re.compile(r"matching regex (?P<quote>['\"])(?P<pattern>.*)(?P=quote)", re.DOTALL)


def why_refused(error: msgspec.ValidationError | ValueError) -> tuple[str, str]:
    """The field (``keep.daily``; empty: of the whole) and what is wrong with it."""
    match = _AT.match(str(error))
    said, path = (match["said"], match["path"] or "") if match else (str(error), "")
    return re.sub(r"\[[^]]*\]", "", path).lstrip("."), _words_of(said)


def told(error: msgspec.ValidationError | ValueError) -> str:
    """The same in a sentence that names the field."""
    field, words = why_refused(error)
    return f"{field}: {words}" if field else words


def _words_of(said: str) -> str:
    expected = _EXPECTED.match(said)
    if missing := _MISSING.match(said):
        return f"`{missing[1]}` must be given."
    if expected is None:
        return said.rstrip(".") + "."
    if pattern := _PATTERN.search(expected["more"]):
        return f"{_allowed(pattern['pattern'])}."
    more = re.sub(r"(\d)\.0\b", r"\1", expected["more"].partition(", got ")[0].strip())
    if more.startswith("of length >= 1"):
        return "it must not be empty."
    kind = expected["wanted"].partition(" | ")[0]
    return f"wanted is {_WANTED.get(kind, kind)}{f' {more}' if more else ''}."


def _allowed(pattern: str) -> str:
    """What a name may be, in words, where its pattern is one of those that people meet."""
    pattern = pattern.replace("\\\\", "\\")
    if pattern.startswith(("^[A-Za-z0-9]", "^[A-Za-z0-9_]", "^[a-z0-9]")):
        letters = "small letters" if pattern.startswith("^[a-z") else "letters"
        marks = (
            " ".join(
                dict.fromkeys(re.sub(r"[A-Za-z0-9\\]|\\Z|[-^*\[\]|+$]", "", pattern.rpartition("][")[2]))
            )
            or "._"
        )
        return f"it may hold {letters}, digits and {marks} -, and begins with a letter or a digit"
    if pattern.startswith("^/"):
        return "it must be a whole path, beginning with /"
    if "https?" in pattern:
        return "it must begin with http:// or https://"
    if r"\d\d:\d\d-\d\d:\d\d" in pattern:
        return "it must be like 22:00-06:00"
    if "SHA256:" in pattern:
        return "it must be a fingerprint: SHA256:…"
    return f"it holds what may not stand there (it must match {pattern.removesuffix(chr(92) + 'Z')})"
