"""A restore: pick a time from a list, browse what was saved, say where it goes, see what would be overwritten, and only then do it."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from guardian_tui.protocol.backups import (
    FileList,
    FilesQuery,
    JobRow,
    Restore,
    RestorePlan,
    RestoreQuery,
    RunRow,
    Snapshot,
    SnapshotFile,
)
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import counted, safe
from screens.base import GuardianScreen
from screens.forms import Card, Field, Words
from screens.reports import ReportDialog
from screens.work import begin
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit
from widgets.snapshots_list import when
from widgets.state_line import StateLine

MOST_FOLDERS = 50
"""How many folders are remembered: going up, or into one again, takes no time."""
AHEAD_MOST = 50
"""So many keys are kept while a folder is read."""
PROPOSED = "/var/tmp/restore-"  # noqa: S108  # a proposal; whoever restores decides


class FilesList(LiveList):
    """Files of one folder of a snapshot, by path."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._files: dict[str, SnapshotFile] = {}
        self._chosen: frozenset[str] = frozenset()
        self.later: Callable[[Callable[[], None]], bool] = lambda step: False
        """Keeps a step of the cursor for the folder that is on its way; answers whether it does."""

    def action_move(self, by: int) -> None:
        """Cursor up or down; in the folder that is being read, once it is here."""
        if not self.later(partial(self.action_move, by)):
            super().action_move(by)

    def show(self, files: FileList, chosen: frozenset[str], title: str) -> None:
        """Show a folder; ``chosen`` are the paths that will be restored."""
        self._files = {file.path: file for file in files.files}
        self._chosen = chosen
        self.set_order(list(self._files))
        note = f"{len(chosen)} chosen" if chosen else "space chooses"
        self.set_caption(
            title, f"{len(self._files)}{'+' if files.cut else ''}", note, "accent" if chosen else "muted"
        )
        self.redraw_changed()

    def file(self, path: str) -> SnapshotFile | None:
        """The file of a path."""
        return self._files.get(path)

    def look(self, id: str, width: int) -> object:
        """The file, and whether it is chosen."""
        return (self._files[id], id in self._chosen)

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        return [(fit(f"    {'name':<{max(4, width - 20)}}{'size':>10}", width - 1), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One file."""
        file = self._files[id]
        chosen = id in self._chosen
        name = posixpath.basename(file.path) + (
            "/" if file.kind == "dir" else " →" if file.kind == "link" else ""
        )
        size = figures.size(file.size) if file.kind == "file" else ""
        return [
            ("◆ " if chosen else "  ", "accent"), (fit(safe(name, 500), max(4, width - 16)), "strong" if file.kind == "dir" else "text"),
            (f"{size:>11}", "muted"),
        ]  # fmt: skip


class RestoreScreen(GuardianScreen):
    """Browses a snapshot, and restores from it.

    Args:
        job: whose snapshot it is.
        snapshot: the one that was picked.
    """

    CONTEXT: ClassVar[str] = "restore"
    DEFAULT_CSS = "RestoreScreen #state { height: 1; } RestoreScreen #files { height: 1fr; }"

    def __init__(self, job: JobRow, snapshot: Snapshot) -> None:
        super().__init__()
        self._job = job
        self._snapshot = snapshot
        self._folder = ""
        self._chosen: dict[str, None] = {}
        self._listed = FileList(files=())
        self._read_already: dict[str, FileList] = {}
        """Folders by path, the newest last: a snapshot does not change."""
        self._reading = False
        self._since = 0.0
        self._ahead: list[Callable[[], None]] = []

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The job, the time, the folder."""
        at = when(self._snapshot.at, self.console.world.now())
        return ("backups", safe(self._job.name, 60), at, safe(self._folder or "/", 200))

    def content(self) -> ComposeResult:
        """What it is, then the files."""
        yield StateLine(id="state")
        yield FilesList(id="files")

    @property
    def _files(self) -> FilesList:
        return self.query_one(FilesList)

    def on_mount(self) -> None:
        """Read the top."""
        self._files.later = self._later
        self._files.focus()
        self._read_folder("")

    def _read_folder(self, folder: str, at: str = "") -> None:
        """Show a folder, with the cursor on the path ``at``: at once if it was read before, else it is read from the repository, which takes seconds.

        What was shown gives way at once: keys that are pressed meanwhile are for the folder that comes, and ``esc`` goes back without it.
        """
        self._folder = folder
        known = self._read_already.get(folder)
        self._reading, self._since, self._ahead = False, time.monotonic(), []
        self._files.say_nothing("This folder is empty." if known else self._reading_words())
        self._listed = known or FileList(files=())
        self._draw()
        self._files.action_jump(0)
        self._files.move_to(at)
        self.refresh_frame()
        self.workers.cancel_group(self, "files")
        if known is None:
            self._reading = True
            begin(self, partial(self._read, folder), exclusive=True, group="files")

    def _reading_words(self) -> str:
        passed = int(time.monotonic() - self._since)
        took = f" for {passed} s" if passed else ""
        kept = " What you type is kept for it." if passed else ""
        return f"Reading {safe(self._folder or '/', 300)} from the repository{took}; esc goes back.{kept}"

    def tick(self, now: float) -> None:
        """It is seen that the reading goes on."""
        super().tick(now)
        if self._reading:
            self._files.say_nothing(self._reading_words())

    def _later(self, step: Callable[[], None]) -> bool:
        """Keep what a key does for the folder that is on its way: whoever types ahead means that one."""
        if self._reading and len(self._ahead) < AHEAD_MOST:
            self._ahead.append(step)
        return self._reading

    async def _read(self, folder: str) -> None:
        query = FilesQuery(job=self._job.name, snapshot=self._snapshot.id, folder=folder)
        try:
            found = await self.console.ask("backups.files", FileList, query)
        except GuardianError as error:
            self._reading, self._ahead = False, []
            self.query_one(StateLine).show([(safe(error.detail or error.title, 300), "critical")], [])
            self._files.say_nothing("It could not be read; esc goes back.")
            return
        while len(self._read_already) >= MOST_FOLDERS:
            del self._read_already[next(iter(self._read_already))]
        self._read_already[folder] = found
        ahead = self._ahead
        self._read_folder(folder)
        while ahead:
            ahead.pop(0)()
            if self._reading:
                # one of them went on into another folder: the rest is for that one
                self._ahead = ahead
                return

    def _draw(self) -> None:
        one = self._snapshot
        size = f", {figures.size(one.bytes)}" if one.bytes is not None else ""
        whole = "" if one.good else f"  It is not whole: {safe(one.why, 200)}"
        about = f"{safe(self._job.host, 100)}, {when(one.at, self.console.world.now())}{size}."
        self.query_one(StateLine).show([(about, "text"), (whole, "warning")], [])
        self._files.show(self._listed, frozenset(self._chosen), safe(self._folder or "/", 200))

    def give_back_focus(self) -> None:
        """Back to the files."""
        self._files.focus()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Go into the folder."""
        if self._later(partial(self.command_open, arguments)):
            return
        file = self._files.file(self._files.cursor_id)
        if file is not None and file.kind == "dir":
            self._read_folder(file.path)

    def on_live_list_chosen(self, event: LiveList.Chosen) -> None:
        """A double click goes in."""
        self.command_open(())

    def command_restore_choose(self, arguments: tuple[str, ...]) -> None:
        """Choose the file or folder, or not."""
        if self._later(partial(self.command_restore_choose, arguments)):
            return
        path = self._files.cursor_id
        if not path:
            return
        if path in self._chosen:
            del self._chosen[path]
        else:
            self._chosen[path] = None
        self._files.action_move(1)
        self._draw()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Up, and out at the top."""
        if self._folder.strip("/"):
            parent = posixpath.dirname(self._folder.rstrip("/"))
            self._read_folder("" if parent == "/" else parent, at=self._folder)
        else:
            self.console.pop_screen()

    def command_restore_go(self, arguments: tuple[str, ...]) -> None:
        """Say where it goes, see what that means, and do it."""
        if self._later(partial(self.command_restore_go, arguments)):
            return

        def answered(query: RestoreQuery | None) -> None:
            if query is not None:
                self.run_worker(self._preview(query), exclusive=True, group="preview", exit_on_error=False)

        chosen = tuple(self._chosen)
        self.app.push_screen(WhereDialog(self._job, self._snapshot, chosen), answered)

    async def _preview(self, query: RestoreQuery) -> None:
        console = self.console
        self.query_one(StateLine).show([("looking at the place where it goes…", "muted")], [])
        try:
            plan = await console.ask("backups.preview", RestorePlan, query)
            self._draw()
            carry = bool(plan.hindered) and plan.carriable
            accept = "let the engine carry it" if carry else "" if plan.hindered else "restore"
            if not await console.push_screen_wait(
                ReportDialog("restore: nothing was changed yet", plan_lines(plan), accept=accept)
            ):
                return
            if carry:
                await self._preview(replace(query, carried=True))
                return
            fields = {name: getattr(query, name) for name in query.__struct_fields__}
            run = await console.ask(
                "backups.restore", RunRow, Restore(**fields, overwrite=plan.overwritten_files > 0)
            )
        except GuardianError as error:
            self._draw()
            console.say_error(error)
            return
        console.open_run(run)


def plan_lines(plan: RestorePlan) -> list[tuple[str, str]]:
    """A preview, as lines of a report."""
    free = "" if plan.free_bytes is None else f" {figures.size(plan.free_bytes)} are free there."
    lines = [
        (
            f"{counted(plan.files, 'file')}, {figures.size(plan.bytes)}, to {plan.target} on {plan.host}.{free}",
            "strong",
        )
    ]
    if plan.hindered:
        lines.append((plan.hindered, "error"))
    if not plan.fits:
        lines.append(("It does not fit: free space first, or restore elsewhere.", "error"))
    lines += [(note, "error") for note in plan.notes]
    if plan.overwritten_files:
        lines += [
            ("", ""),
            (f"{counted(plan.overwritten_files, 'file')} there would be OVERWRITTEN:", "error"),
        ]
        lines += [(f"  {path}", "") for path in plan.overwritten[:15]]
        if plan.overwritten_files > 15:
            lines.append((f"  and {plan.overwritten_files - 15} more", "muted"))
    else:
        lines.append(("Nothing that is there would be overwritten.", "good"))
    lines += [
        ("", ""),
        ("What will run there:", "muted"),
        *((f"  {command}", "muted") for command in plan.commands),
    ]
    return lines


class WhereDialog(ModalScreen[RestoreQuery | None]):
    """Asks to which host and folder; answers the order, or None."""

    DEFAULT_CSS = (
        "WhereDialog { align: center middle; background: $background 60%; } WhereDialog Card { width: 78; }"
    )
    BINDINGS = [("escape", "dismiss(None)", "Not now")]  # as Textual has it

    def __init__(self, job: JobRow, snapshot: Snapshot, chosen: tuple[str, ...]) -> None:
        super().__init__()
        self._job = job
        self._snapshot = snapshot
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """Two fields."""
        with Card() as card:
            card.border_title = "restore"
            shown = ", ".join(safe(path, 60) for path in self._chosen[:4])
            more = f" and {len(self._chosen) - 4} more" if len(self._chosen) > 4 else ""
            yield Words(
                f"What: {shown}{more}." if self._chosen else "What: all of the snapshot (nothing was chosen)."
            )
            yield Field("To the host", Input(self._job.host, id="host", max_length=253))
            yield Field("Into", Input(f"{PROPOSED}{self._job.name}", id="target", max_length=4096))
            yield Words(
                "/ puts everything back where it was. Nothing is written before you have seen what that means.",
                id="words",
                classes="muted",
            )
            yield Words("⏎ show what it would do · esc not now", classes="muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter on the last field answers."""
        if event.input.id == "host":
            self.query_one("#target", Input).focus()
            return
        target = event.value.strip()
        if not target.startswith("/"):
            self.query_one("#words", Words).say("A folder begins with /.", error=True)
            return
        self.dismiss(
            RestoreQuery(
                job=self._job.name, snapshot=self._snapshot.id, includes=self._chosen, host=self.query_one("#host", Input).value.strip(), target=target
            )
        )  # fmt: skip
