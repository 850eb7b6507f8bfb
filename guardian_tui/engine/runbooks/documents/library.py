"""The library: all runbooks that there are, the shipped ones and those of a person's own folder or repository, read again when they change."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from guardian_tui.engine.runbooks.documents.findings import Finding, Findings
from guardian_tui.engine.runbooks.documents.folders import ENDING, PART, Folder, survey
from guardian_tui.engine.runbooks.documents.known import Known
from guardian_tui.engine.runbooks.documents.model import Document
from guardian_tui.engine.runbooks.documents.reading import parse
from guardian_tui.engine.runbooks.documents.repository import (
    Commit,
    committed,
    differing,
    head,
    is_repository,
    marks,
)
from guardian_tui.protocol.errors import Conflict, GuardianError, InvalidRequest, NotFound

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent.parent / "shipped"

Origin = Literal["shipped", "own"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One runbook of the library, sound or broken."""

    id: str
    """Of one whose id can't be read the name of its file."""
    file: str
    origin: Origin
    hash: str
    document: Document | None
    """None: it is broken, and no older version stands in for it."""
    findings: tuple[Finding, ...] = ()
    commit: str = ""
    signer: str = ""

    @property
    def title(self) -> str:
        """Its title, or its file."""
        return self.document.title if self.document else self.file

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it can't be run, each with its place."""
        return tuple(str(one) for one in self.findings if one.severity == "error")


@dataclass(slots=True)
class _Shelf:
    """One folder, and what was read of it."""

    origin: Origin
    root: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    problem: str = ""
    seen: object = None


class Library:
    """All runbooks.

    Args:
        folder: a person's own; None: there is none.
        signers: OpenSSH's file of allowed signers; given, the folder must be a git repository whose commit one of them signed.
        shipped: whether those that come with Guardian are offered.
        rules: alert rules that there are; None: ``for`` is not held against any.
        known: channels, hosts and jobs that there are; None: what is named is not held against any.
    """

    def __init__(
        self, folder: Path | None, *, signers: Path | None = None, shipped: bool = True, rules: Collection[str] | None = None,
        known: Known | None = None,
    ) -> None:  # fmt: skip
        self._known = known
        self._signers = signers
        self._rules = rules
        self._shelves = [_Shelf("shipped", SHIPPED)] if shipped else []
        if folder is not None:
            self._shelves.append(_Shelf("own", folder))
        self._entries: tuple[Entry, ...] = ()
        self._one_at_a_time = threading.Lock()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, by title."""
        return self._entries

    @property
    def problem(self) -> str:
        """Why not all of it could be read; empty when it could."""
        return (
            "They are not read yet."
            if self._unread
            else " ".join(one.problem for one in self._shelves if one.problem)
        )

    @property
    def _unread(self) -> bool:
        return any(one.seen is None for one in self._shelves)

    def get(self, id_: str) -> Document:
        """The document of this id.

        Raises:
            NotFound: there is none.
            InvalidRequest: it is broken; says how.
            Conflict: nothing has been read yet.
        """
        for one in self._entries:
            if one.id == id_ and one.document is not None:
                return one.document
            if one.id == id_:
                raise InvalidRequest(
                    f"The runbook {id_} can't be run. {one.problems[0] if one.problems else ''}",
                    field="runbook",
                )
        if self._unread:
            raise Conflict("The runbooks are not read yet. Ask again in a moment.", field="runbook")
        raise NotFound(f"There is no runbook {id_!r}. See the list of runbooks.", field="runbook")

    @property
    def may_change(self) -> bool:
        """Whether it is worth looking: what comes with Guardian changes with the program alone."""
        return any(one.origin == "own" or one.seen is None or one.problem for one in self._shelves)

    def refresh(self) -> bool:
        """Read again what has changed; whether anything has.  It reads files and may ask git: run it in a thread."""
        with self._one_at_a_time:
            changed = [self._refresh(one) for one in self._shelves]
            if any(changed):
                self._entries = _arranged(self._shelves)
        return any(changed)

    def _refresh(self, shelf: _Shelf) -> bool:
        if shelf.origin == "shipped" and shelf.seen is not None and not shelf.problem:
            # it changes with the program alone
            return False
        work, commit, refused = survey(shelf.root), None, dict[str, str]()
        edited: frozenset[str] = frozenset()
        seen = (work.files, work.problem, marks(shelf.root, self._signers) if shelf.origin == "own" else ())
        if seen == shelf.seen:
            return False
        try:
            commit = self._commit(shelf)
            if commit is not None and self._signers is not None:
                work, refused = committed(shelf.root, commit, work)
            elif commit is not None:
                edited = differing(shelf.root, commit, work)
            shelf.problem = work.problem
        except (GuardianError, OSError) as error:
            words = error.detail if isinstance(error, GuardianError) else str(error)
            # what can't be vouched for is listed as such, not hidden
            shelf.problem, refused = words, dict.fromkeys(work.files, words)
        shelf.seen = seen
        shelf.entries = {
            path: _refused(shelf, path, refused[path])
            if path in refused
            else _read(shelf, path, work, commit, edited, self._rules, self._known)
            for path in {**work.files, **refused}
            if path.endswith(ENDING) and not path.rpartition("/")[2].startswith(PART)
        }
        return True

    def _commit(self, shelf: _Shelf) -> Commit | None:
        if shelf.origin == "shipped":
            return None
        if is_repository(shelf.root):
            return head(shelf.root, self._signers)
        if self._signers is not None:
            raise InvalidRequest(
                f"{shelf.root} is no git repository, so nobody signed it. Make it one, or take runbooks.signers out of the settings.",
                field="runbooks.folder",
            )  # fmt: skip
        return None


def _read(
    shelf: _Shelf, path: str, folder: Folder, commit: Commit | None, edited: Collection[str], rules: Collection[str] | None, known: Known | None
) -> Entry:  # fmt: skip
    used = {path}

    def load(name: str) -> bytes:
        used.add(name)
        return folder.read(name)

    try:
        read = parse(folder.read(path), path, load=load, rules=rules, known=known)
    except GuardianError as error:
        return _refused(shelf, path, error.detail)
    except Exception as error:
        # one document that the reader stumbles over costs the others nothing
        log.exception("the runbook %s could not be read", path)
        return _refused(shelf, path, f"It can't be read: {type(error).__name__}, a fault of Guardian's own.")
    document = read if isinstance(read, Document) else None
    findings = read.found if isinstance(read, Findings) else read.findings
    if not used.isdisjoint(edited):
        # what is run stands in no commit: none is shown
        commit = None
    return Entry(
        read.id or _stem(path), path, shelf.origin, read.hash, document, findings, commit.id if commit else "",
        commit.signer if commit else "",
    )  # fmt: skip


def _refused(shelf: _Shelf, path: str, words: str) -> Entry:
    finding = Finding(file=path, line=1, code="refused", words=words)
    return Entry(
        _stem(path), path, shelf.origin, hashlib.sha256(words.encode()).hexdigest(), None, (finding,)
    )


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(ENDING)


def _arranged(shelves: list[_Shelf]) -> tuple[Entry, ...]:
    """All entries by title: of two with one id in one folder both are broken, and a person's own stands in for a shipped one."""
    by_id: dict[str, Entry] = {}
    twice: list[Entry] = []
    for shelf in shelves:
        here: dict[str, list[Entry]] = {}
        for entry in shelf.entries.values():
            here.setdefault(entry.id, []).append(entry)
        for id_, entries in here.items():
            if len(entries) > 1:
                entries = [
                    _double(entry, [other.file for other in entries if other is not entry])
                    for entry in entries
                ]
                twice += entries[1:]
            by_id[id_] = entries[0]
    return tuple(sorted((*by_id.values(), *twice), key=lambda entry: (entry.title.lower(), entry.file)))


def _double(entry: Entry, others: list[str]) -> Entry:
    finding = Finding(
        file=entry.file,
        line=1,
        code="double-id",
        words=f"{', '.join(others)} has the id {entry.id} too.",
        hint="Change one.",
    )
    return replace(entry, document=None, findings=(*entry.findings, finding))
