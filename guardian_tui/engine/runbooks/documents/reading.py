"""From a text to a document, or to all that is wrong with it."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from guardian_tui.engine.runbooks.documents.checks import check_names, check_step
from guardian_tui.engine.runbooks.documents.fields import HIDDEN, Fields, read_fields
from guardian_tui.engine.runbooks.documents.findings import Findings, Notes
from guardian_tui.engine.runbooks.documents.flow import check_flow
from guardian_tui.engine.runbooks.documents.front import read_front
from guardian_tui.engine.runbooks.documents.known import Known, check_hosts, check_known
from guardian_tui.engine.runbooks.documents.markdown import Block, split
from guardian_tui.engine.runbooks.documents.model import Document, Step, Variable
from guardian_tui.engine.runbooks.documents.steps import read_step
from guardian_tui.protocol.errors import GuardianError

MOST_STEPS = 200
MOST_INCLUDES = 20
MOST_DEPTH = 4
Load = Callable[[str], bytes]
"""The bytes of a file that is included, by its path within the folder; raises GuardianError when there is none."""


def parse(
    text: str | bytes, name: str, *, load: Load | None = None, rules: Collection[str] | None = None, known: Known | None = None
) -> Document | Findings:  # fmt: skip
    """The document that a text is, or why it is none.

    Args:
        text: Markdown.
        name: its path within its folder, for findings and includes.
        load: reads what it includes.
        rules: alert rules that there are; None: ``for`` is not held against any.
        known: channels, hosts and jobs that there are; None: what is named is not held against any.
    """
    reader = _Reader(name, load)
    front = reader.file(text, name, reader.notes, 0)
    return reader.finish(front, rules, known or Known())


@dataclass(slots=True)
class _Reader:
    """Reads a file and those that it includes, then holds the parts against each other."""

    name: str
    load: Load | None
    notes: Notes = field(init=False)
    steps: list[tuple[Step, Fields]] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    epilogue: str = ""
    _digest: list[bytes] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.notes = Notes(self.name)

    @property
    def hash(self) -> str:
        """Of one file its sha256; of several that of their hashes."""
        if len(self._digest) == 1:
            return self._digest[0].hex()
        return hashlib.sha256(b"".join(self._digest)).hexdigest()

    def file(self, text: str | bytes, name: str, notes: Notes, depth: int) -> Block | None:
        """Read the steps of a file; answers its front matter."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self._digest.append(hashlib.sha256(data).digest())
        plain = _plain(data, notes)
        parts = split(plain, notes)
        self._open.append(name)
        for block in parts.blocks:
            if block.kind == "include":
                self._include(block, name, notes, depth)
            elif len(self.steps) >= MOST_STEPS:
                notes.add(
                    "too-many-steps",
                    f"There are more than {MOST_STEPS} steps.",
                    "Split the document.",
                    line=block.line,
                )
                break
            elif (read := read_step(block, name, notes)) is not None:
                self.steps.append(read)
        self._open.pop()
        if not depth:
            self.epilogue = parts.epilogue
        elif parts.front is not None:
            notes.add(
                "front-of-part",
                "A part that is included has no front matter of its own.",
                "Move it to the document.",
                line=1,
            )
        return parts.front

    def _include(self, block: Block, name: str, notes: Notes, depth: int) -> None:
        target = block.name or block.text.strip()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        words, hint = "", ""
        if not target or "\n" in target:
            words, hint = "This include names no file.", "Write ```include file.md."
        elif target.startswith("/") or path.startswith("..") or "\\" in target:
            words, hint = (
                f"{target[:100]} lies outside of the folder.",
                "Include what lies in the folder of runbooks.",
            )
        elif path in self._open:
            words, hint = f"{target[:100]} includes itself.", "Take one include out."
        elif depth + 1 > MOST_DEPTH or len(self.includes) >= MOST_INCLUDES:
            words, hint = (
                f"There are more than {MOST_DEPTH} levels or {MOST_INCLUDES} files of includes.",
                "Bring them together.",
            )
        elif self.load is None:
            words, hint = "This document can't include others.", "Put it into a folder of runbooks."
        if words or self.load is None:
            notes.add("bad-include", words, hint, line=block.line)
            return
        try:
            data = self.load(path)
        except GuardianError as error:
            notes.add(
                "bad-include",
                error.detail,
                "Correct the path; it is taken from the folder of this file.",
                line=block.line,
            )
            return
        self.includes.append(path)
        self.file(data, path, notes.within(path), depth + 1)

    def finish(self, front: Block | None, rules: Collection[str] | None, known: Known) -> Document | Findings:
        """Hold the parts against each other."""
        document: Document | None = None
        if front is None:
            self.notes.add(
                "no-front-matter",
                "The document has no front matter.",
                "Begin with ---, id:, title:, version:, ---.",
                line=1,
            )
        elif (fields := read_fields(front.text, front.line, self.notes, "The front matter")) is not None:
            document = read_front(fields, rules)
            check_hosts(document.hosts, fields, known)
        if not self.steps and not self.notes.failed:
            self.notes.add("no-steps", "The document has no steps.", "Add a fence: ```step name.", line=1)
        if document is not None:
            document = msgspec.structs.replace(
                document, hash=self.hash, steps=tuple(step for step, _ in self.steps), epilogue=self.epilogue,
                includes=tuple(self.includes), variables=_all_variables(document, [step for step, _ in self.steps]),
            )  # fmt: skip
            check_names(document, self.notes)
            for step, read in self.steps:
                check_step(step, read, document)
                check_known(step, read, known)
            if self.steps:
                check_flow(document, self.steps, self.notes)
        found = self.notes.all()
        if document is None or self.notes.failed:
            return Findings(self.name, self.hash, found, document.id if document else "")
        return msgspec.structs.replace(document, findings=found)


def _plain(data: bytes, notes: Notes) -> str:
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        notes.add("no-utf-8", "The document is no UTF-8.", "Save it as UTF-8.", line=line)
        return ""
    for match in islice(HIDDEN.finditer(text), 20):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        notes.add(
            "hidden-character", f"A character that can't be seen stands here (U+{ord(match[0]):04X}).", "Take it out.", line=line, column=column
        )  # fmt: skip
    # Markdown takes a lone carriage return for the end of a line, and nothing else here does
    return text.replace("\r", " ")


def _all_variables(document: Document, steps: list[Step]) -> tuple[Variable, ...]:
    """Those declared, and those that inputs and captures make without being declared."""
    found = {one.name: one for one in document.variables}
    for step in steps:
        if step.variable is not None:
            found.setdefault(step.name, step.variable)
        for name in step.capture:
            found.setdefault(name, Variable(name=name, origin="capture", line=step.line))
    return tuple(found.values())
