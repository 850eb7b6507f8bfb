"""Secrets are taken out of output before anybody sees or keeps it, also where one is split over two chunks."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable
from urllib.parse import quote

SHOWN = "‹secret›"
SHORTEST = 3
"""Shorter lines of a secret of several lines say nothing alone."""


class Masker:
    """Masks a stream of text.

    Args:
        secrets: what must not be seen.  A secret of several lines is also masked line by line.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
        self._kept = ""

    def feed(self, text: str) -> str:
        """What can be shown now; the rest is held back until it is certain that it begins no secret."""
        if not self._forms:
            return text
        text = self._kept + text
        shown: list[str] = []
        place = 0
        while True:
            place, form = self._next(text, place, shown)
            if not form:
                break
        self._kept = text[place:]
        return "".join(shown)

    def _next(self, text: str, place: int, shown: list[str]) -> tuple[int, str]:
        """Show up to and with the next secret; without one, up to where one might begin."""
        found = min(
            ((at, -len(form), form) for form in self._forms if (at := text.find(form, place)) >= 0),
            default=None,
        )
        # a longer one that begins no later may still be coming
        edge = self._edge(text, place)
        if found is not None and found[0] < edge:
            at, _, form = found
            shown += (text[place:at], SHOWN)
            return at + len(form), form
        shown.append(text[place:edge])
        return edge, ""

    def _edge(self, text: str, place: int) -> int:
        """Where the longest end of the text begins that a secret begins with."""
        longest = len(self._forms[0]) - 1
        for at in range(max(place, len(text) - longest), len(text)):
            if any(form.startswith(text[at:]) for form in self._forms):
                return at
        return len(text)

    def close(self) -> str:
        """What was held back: nothing more comes, so that it is no secret."""
        kept, self._kept = self._kept, ""
        return mask(kept, self._forms)


def mask(text: str, forms: Iterable[str]) -> str:
    """Text with these words masked."""
    for form in forms:
        text = text.replace(form, SHOWN)
    return text


def _forms(secret: str) -> Iterable[str]:
    """A secret as commands write it: as it is, quoted for a shell or a URL, in base64, a line of it."""
    if not secret:
        return
    yield secret
    yield shlex.quote(secret)
    yield shlex.quote(secret).strip("'")
    yield quote(secret, safe="")
    yield base64.b64encode(secret.encode(errors="surrogateescape")).decode()
    for line in secret.splitlines():
        if len(line.strip()) >= SHORTEST:
            yield line.strip()
