"""The probe's answer to a request for sections, split into rows and bounded; what the rows mean is each section's own.

S<TAB>NAME               a section begins
R<TAB>cell<TAB>cell…     a row
X<TAB>what<TAB>why<TAB>rule  something that this account may not see, and the sudoers rule that would let it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from guardian_tui.text import safe

MOST_ROWS = 20_000
"""Of one section: a host that sends more must not keep the others waiting while it is read."""
MOST_CELLS = 32
MOST_WITHHELD = 20
MOST_PROBLEMS = 20


@dataclass(slots=True)
class Raw:
    """One section's rows as the host wrote them: hostile text until :func:`~guardian_tui.text.safe`."""

    rows: list[list[str]] = field(default_factory=list)
    withheld: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def problem(self, words: str) -> None:
        """Note what could not be understood; bounded."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(safe(words, 120))


def split(body: bytes, wanted: Iterable[str]) -> dict[str, Raw]:
    """The sections of an answer; those that were not asked for are left out.

    Args:
        body: without the answer's first and last line.
        wanted: names of sections that were asked for.
    """
    return {name: raw_of(lines) for name, lines in lines_of(body, wanted).items()}


def lines_of(body: bytes, wanted: Iterable[str]) -> dict[str, bytes]:
    """The same without reading their lines."""
    names = frozenset(wanted)
    found: dict[str, bytes] = {}
    for part in (b"\n" + body).split(b"\nS\t")[1:]:
        head, _, lines = part.partition(b"\n")
        name = head.decode("utf-8", "replace")
        if name in names:
            found[name] = found[name] + b"\n" + lines if name in found else lines
    return found


def raw_of(lines: bytes) -> Raw:
    """One section's lines, split into rows and bounded."""
    text = lines.decode("utf-8", "replace")
    if text.startswith("R\t") and text.count("\n") == text.count("\nR\t") < MOST_ROWS:
        # nearly always: rows and nothing else
        return Raw([rest.split("\t", MOST_CELLS - 1) for rest in text[2:].split("\nR\t")])
    raw = Raw()
    for line in text.split("\n"):
        kind, _, rest = line.partition("\t")
        if kind == "R":
            if len(raw.rows) < MOST_ROWS:
                raw.rows.append(rest.split("\t", MOST_CELLS - 1))
            elif len(raw.rows) == MOST_ROWS:
                raw.problem(f"more than {MOST_ROWS} rows; the rest was not read")
        elif kind == "X":
            what, why, rule = [*rest.split("\t", 2), "", ""][:3]
            if len(raw.withheld) < MOST_WITHHELD:
                raw.withheld.append((safe(what, 120), safe(why, 200), safe(rule, 300)))
        elif line:
            raw.problem(f"not understood: {safe(line, 60)}")
    return raw
