"""A run of a runbook: the step in front of you, what will run, where, as whom, and whether it goes back; then its output, live, and a verdict."""

from __future__ import annotations

import contextlib
import time
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from guardian_tui.commands import Command
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import (
    RunbookOutput,
    RunbookOutputQuery,
    RunbookRun,
    RunbookRunDetail,
    RunbookRunRef,
    RunbookWatcher,
)
from guardian_tui.text import counted, safe
from guardian_tui.world import Change
from screens.ask_pane import AskPane
from screens.presence import Presence
from screens.runbook_answers import RunAnswers
from screens.runbook_asking import asking_of, output_note, rows_of_what, word_of, works
from screens.runbook_focus import RunFocus
from screens.work import begin
from widgets.footer import FooterKey
from widgets.lines_pane import LinesPane
from widgets.prose import prose_lines
from widgets.runbook_lines import plan_step_lines, steps_lines, title_of, what_lines
from widgets.runbook_output import RunOutput
from widgets.runbook_people import lead_lines, people_words
from widgets.runbooks_list import ResultsList

NARROW = 110
PAGES = 4
"""Of kept output that are read when a run is opened."""
SETTLE_SECONDS = 0.4
"""What is asked is on screen for so long before a key answers it: nobody confirms what they have not seen."""

_PANES = 7
"""Of the screen: steps, who leads, what runs, output, hosts, the question and its words."""


class StepScreen(RunAnswers, RunFocus):
    """One run.

    Args:
        run_id: its id.
    """

    CONTEXT: ClassVar[str] = "step"
    BINDINGS = [("escape", "leave_field", "To the keys"), ("tab", "look_behind", "What lies behind")]
    DEFAULT_CSS = """
    StepScreen #left { width: 46; height: 1fr; }
    StepScreen.wide #left { width: 62; }
    StepScreen #steps { height: 1fr; }
    StepScreen #lead { height: 4; }
    StepScreen #right { width: 1fr; height: 1fr; }
    StepScreen #what { height: 3; }
    StepScreen #output { height: 1fr; min-height: 3; }
    StepScreen #results { height: 1fr; min-height: 4; display: none; }
    StepScreen.hosts #results { display: block; }
    StepScreen.hosts #output { display: none; }
    StepScreen.-tall ToastRack { dock: top; align: right top; margin-top: 1; margin-bottom: 0; }
    StepScreen.narrow #panes { layout: vertical; }
    StepScreen.narrow #left { width: 1fr; height: 1fr; min-height: 5; }
    StepScreen.narrow #lead { display: none; }
    StepScreen.narrow #right { width: 1fr; height: auto; }
    StepScreen.narrow #output { display: none; }
    StepScreen.narrow #results { display: none; }
    StepScreen.narrow.output #left { display: none; }
    StepScreen.narrow.output #right { height: 1fr; }
    StepScreen.narrow.output #output { display: block; }
    StepScreen.narrow.hosts #left { display: none; }
    StepScreen.narrow.hosts #right { height: 1fr; }
    StepScreen.narrow.hosts #output { display: none; }
    StepScreen.narrow.hosts #results { display: block; }
    """

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._output = RunOutput()
        self._problem = ""
        self._question: tuple[object, ...] = ()
        self._place: tuple[object, ...] = ()
        """What the list of steps was scrolled for."""
        self._shown_at = 0.0
        self._was_output = False
        self.sending = False
        self._presence = Presence(self, run_id)

    # --- what is known ----------------------------------------------------------------------------

    @property
    def run(self) -> RunbookRun | None:
        """The run as it is shown."""
        return self._run

    @property
    def me(self) -> str:
        """Who sits here."""
        session = self.console.session
        return session.account if session is not None else ""

    @property
    def watchers(self) -> tuple[RunbookWatcher, ...]:
        """Who looks on."""
        found = self.console.world.runbook_watchers.get(self.run_id)
        return found.watchers if found is not None else ()

    @property
    def ready(self) -> bool:
        """Whether what is asked has been on screen long enough to be answered."""
        return (
            not self.sending and self._run is not None and time.monotonic() - self._shown_at >= SETTLE_SECONDS
        )

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The runbook, and where it runs."""
        run = self._run
        if run is None:
            return ("runbook", "…")
        where = run.hosts[0] if run.hosts_count == 1 and run.hosts else counted(run.hosts_count, "host")
        # on a narrow terminal the pane's title names the runbook
        narrow = self.has_class("narrow")
        filtered = (f"/{self.filtered}",) if self.filtered else ()
        return ("runbook", *(() if narrow else (safe(run.runbook, 60),)), safe(where, 60), *filtered)

    @property
    def subjects(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its hosts."""
        world = self.console.world
        rows = [world.host_named(name) for name in (self._run.hosts if self._run else ())]
        return tuple(row.id for row in rows if row is not None), ()

    def content(self) -> ComposeResult:
        """Prose and steps at the left; what will run, its output and what is asked at the right."""
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield LinesPane(id="steps")
                yield LinesPane(id="lead")
            with Vertical(id="right"):
                yield LinesPane(id="what")
                yield LinesPane(id="output", following=True)
                yield ResultsList(id="results")
                yield AskPane(id="ask")

    def on_mount(self) -> None:
        """Read it."""
        self._arrange()
        self.set_focus(self.query_one("#output"))
        self.read()
        self._presence.begin()

    def on_unmount(self) -> None:
        """Others see that it is left."""
        self._presence.end()

    def on_screen_resume(self) -> None:
        """It is looked at again."""
        super().on_screen_resume()
        self._presence.say()

    def on_resize(self, event: events.Resize) -> None:
        """Fold or unfold."""
        self._arrange()
        self.call_after_refresh(self.draw)

    def _arrange(self) -> None:
        self.set_class(self.app.size.width < NARROW, "narrow")
        self.set_class(self.app.size.width >= 160, "wide")

    def on_lines_pane_resized(self, event: LinesPane.Resized) -> None:
        """Wrap anew, and find the step in front again."""
        self._place = ()
        self.draw()

    def read(self) -> None:
        """Read the run, and what it has written."""
        begin(self, self._read, exclusive=True, group="run")

    async def _read(self) -> None:
        client = self.console.client
        try:
            self._detail = await client.call(
                "runbooks.follow", RunbookRunDetail, RunbookRunRef(run=self.run_id)
            )
            await self._read_output(self._detail.run)
        except GuardianError as error:
            # the banner speaks for an engine that is gone
            if error.status != 503:
                self._problem = error.detail or error.title
                self.console.say_error(error)
            return
        self.take(self._detail.run)

    async def _read_output(self, run: RunbookRun) -> None:
        """What was kept since the last time."""
        for _ in range(PAGES):
            query = RunbookOutputQuery(run=self.run_id, after=self._output.newest)
            page = await self.console.client.call("runbooks.output", RunbookOutput, query)
            self._output.take_pieces(page.pieces, named=run.hosts_count > 1)
            if not page.more:
                break
        self._output.settle()

    async def _read_on(self, run: RunbookRun) -> None:
        # whatever hinders it is told where it matters: by the banner, or when the run is read
        with contextlib.suppress(GuardianError):
            await self._read_output(run)
            self.draw()

    def take(self, run: RunbookRun) -> None:
        """The run as the engine has it now; one that is older than what is shown says nothing."""
        known = self._run
        if known is None or run.version > known.version or (run.version == known.version and run != known):
            self._run = run
            if run.state != "running" and known is not None and run.version > known.version:
                self.run_worker(self._read_on(run), group="output", exit_on_error=False)
        self.draw()

    def world_changed(self, change: Change) -> None:
        """Draw what an event changed."""
        if not (change.complete or change.runbooks):
            return
        world = self.console.world
        run = world.runbook_runs.get(self.run_id)
        if run is not None:
            known = self._detail.run if self._detail is not None else None
            if run.asked == "approve" and known is not None and known.version != run.version:
                # what would run is part of what is approved
                self.read()
            self.take(run)

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self.draw()

    # --- what is shown ----------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw all panes."""
        run, detail = self._run, self._detail
        if not self.composed or len(self.query("LinesPane, ResultsList, AskPane")) < _PANES:
            # it is not there yet, or is going away
            return
        if run is None:
            if self._problem:
                self.query_one("#steps", LinesPane).show([[(safe(self._problem, 400), "critical")]], "run")
            return
        now = self.console.world.now()
        self._presence.over = run.state == "ended"
        self._note_command(run)
        self._draw_steps(run, detail, now)
        self._draw_what(run)
        self._draw_output(run, now)
        self._draw_ask(run, now)
        self.refresh_frame()

    def _note_command(self, run: RunbookRun) -> None:
        """What runs stands above what it writes."""
        mark = next((one for one in run.marks if one.step == run.step), None)
        if mark is None or run.current is None or not run.current.commands or run.asked == "undo":
            return
        first = run.current.commands[0]
        shown = safe(first.command, 4000, newlines=True)
        more = len(run.current.commands) + run.current.more_commands - 1
        note = f"and {more} more that differ by host" if more else ""
        running = run.state == "running"
        if running and first.command == run.current.undo:
            self._output.take_undo(
                (run.step, mark.attempt), [*shown.split("\n"), *([f"({note})"] if note else [])]
            )
        elif running or run.asked in ("confirm", "type"):
            attempt = mark.attempt if running else mark.attempt + 1
            self._output.take_command((run.step, attempt), shown, note, begun=running)
        progress = self.progress(run)
        if running and progress is not None and progress.attempt == mark.attempt:
            self._output.take_tail(progress)

    def _draw_steps(self, run: RunbookRun, detail: RunbookRunDetail | None, now: float) -> None:
        pane = self.query_one("#steps", LinesPane)
        steps = detail.steps if detail is not None else ()
        lines, since, place = (
            steps_lines(steps, run, pane.width) if steps else ([[("reading…", "muted")]], 0, 0)
        )
        if run.state == "ended" and detail is not None and detail.epilogue:
            lines += [[], *prose_lines(detail.epilogue, pane.width)]
        place_now = (run.step, run.state, bool(steps))
        moved, self._place = place_now != self._place, place_now
        pane.show(
            lines,
            safe(run.title, 100),
            f"v{safe(run.document_version, 20)}",
            at=place if moved and run.state != "ended" else None,
            since=since,
        )
        lead = self.query_one("#lead", LinesPane)
        told = lead_lines(run, self.watchers, self.me, now, lead.width)
        lead.show(told, "led by", safe(run.leader, 60))
        lead.styles.height = lead.fits(7)

    def _draw_what(self, run: RunbookRun) -> None:
        pane = self.query_one("#what", LinesPane)
        # a question stands in the box in which it is answered
        ahead = self._detail.ahead if self._detail is not None and run.asked == "approve" else ()
        asks = run.asked in ("input", "choose") or (run.asked == "approve" and not ahead)
        pane.display = run.state != "ended" and not asks
        if not pane.display:
            return
        kinds = {
            "instruct": "what to do", "approve": "what is to be approved", "wait": "what is waited for", "silence": "what is kept quiet",
            "notify": "what is told", "backup": "what is backed up",
        }  # fmt: skip
        kind = run.current.step.kind if run.current else "run"
        title = (
            "what runs"
            if run.state in ("running", "paused")
            else "what ran"
            if run.asked == "decide" and run.current is not None and run.current.commands
            else "takes back"
            if run.asked == "undo"
            else kinds.get(kind, "what will run")
        )
        lines = [line for planned in ahead for line in plan_step_lines(planned, (), pane.width)]
        lines = lines[:-1] or what_lines(run, pane.width)
        name = title_of(run.current.step) if run.current else safe(run.step, 60)
        pane.show(
            lines, title, name if self.has_class("narrow") else "", f"step {run.number} of {len(run.marks)}"
        )
        steps = self.query_one("#steps", LinesPane).fits(self.size.height)
        room = self.query_one("#panes").size.height - self.query_one(AskPane).outer_size.height
        pane.styles.height = pane.fits(rows_of_what(run, self.classes, self.size.height, room, steps))

    def _draw_output(self, run: RunbookRun, now: float) -> None:
        pane = self.query_one("#output", LinesPane)
        steps = self._detail.steps if self._detail else ()
        titles = {step.name: f"{step.number} {title_of(step)}" for step in steps}
        lines = self._output.lines(titles, pane.width)
        results = self.results(run)
        note, paint = output_note(run, results, now)
        pane.show(lines or [[("nothing is written yet", "muted")]], "output", "", note, paint)
        self.draw_hosts(run, results, now)
        if run.state == "ended" and not results and self.has_class("hosts"):
            # their table is empty: what they wrote is there still
            self.remove_class("hosts")
            self.set_class(self.has_class("narrow"), "output")

    def _draw_ask(self, run: RunbookRun, now: float) -> None:
        pane = self.query_one(AskPane)
        question = (run.step, run.state, run.asked, run.version)
        anew = question != self._question
        # also when what was written comes later than the question
        self._fold(run)
        if anew:
            self._question, self._shown_at = question, time.monotonic()
            if run.asked == "approve":
                # what is to be approved is read, and may have to be scrolled for it
                self.call_after_refresh(self.focus_shown)
        asking = asking_of(run, self.progress(run), pane.width, now, me=self.me, may_approve=self.may_approve)
        # where there is no room for who leads, the box in which it asks says who else there is
        narrow = self.has_class("narrow") and run.state != "ended"
        pane.border_subtitle = Content(people_words(run, self.watchers, self.me) if narrow else "")
        pane.show(asking, anew=anew)

    def _fold(self, run: RunbookRun) -> None:
        """On a narrow terminal what matters now has the room: prose before a step, its output while it runs and after."""
        running = run.state in ("running", "paused", "deciding", "ended")
        step = run.current.step if run.current is not None else None
        # a question that nothing else is said of is asked about what was written
        of_output = (
            step is not None
            and step.kind in ("input", "choose")
            and not prose_lines(step.prose, 80, titles=False)
            and bool(self._output)
        )
        if (running or of_output) != self._was_output:
            many = running and run.current is not None and run.current.hosts > 1
            self.set_class((running or of_output) and not many, "output")
            self.set_class(many, "hosts")
            self.call_after_refresh(self.focus_shown)
        self._was_output = running or of_output

    # --- the frame --------------------------------------------------------------------------------

    @property
    def may_approve(self) -> bool:
        """Whether this session may approve what others' runs do."""
        session = self.console.session
        return session is not None and "runbooks.approve" in session.permissions

    def offered(self) -> list[Command]:
        """Of the commands of a step those that can be answered now."""
        hosts = self._hosts
        return [command for command in super().offered() if works(command.name, self._run, hosts, self.me)]

    def footer_keys(self) -> tuple[FooterKey, ...]:
        """While something is typed, the keys of the field."""
        if self.query_one(AskPane).typing:
            run = self._run
            words = {"input": "answer", "undo": "take it back"}
            word = words.get(run.asked if run is not None else "", "run it")
            acts = [act for act in ("skip", "back", "stop") if run is not None and act in run.acts]
            keys = [FooterKey("⏎", word), FooterKey("esc", f"other keys: {', '.join(acts)}")]
            if self.has_class("narrow"):
                keys.insert(1, FooterKey("tab", self.behind_word))
            return tuple(keys)
        # what goes on with the run stands first
        console, offered = self.console, [command for command in self.offered() if command.footer]
        own = [
            command
            for command in offered
            if self.CONTEXT in command.where and command.name != "runbook.transcript"
        ]
        first = "runbook.pause" if self._run is not None and self._run.state == "paused" else "runbook.go"
        own.sort(key=lambda command: (command.name != first, command.name == "filter"))
        others = [command for command in offered if command not in own and command.name != "line"]
        keys = [
            FooterKey(console.key_of(one), word_of(one, self._run), one.name == "help")
            for one in (*own, *others)
        ]
        if self.has_class("narrow"):
            # what lies behind what is shown, right after what goes on
            keys.insert(min(1, len(keys)), FooterKey("tab", self.behind_word))
        return tuple(keys)

    def footer_note(self) -> str:
        """When its journal was written last."""
        run = self._run
        at = (
            max((mark.at for mark in run.marks if mark.at is not None), default=run.started_at)
            if run
            else None
        )
        if at is None:
            return super().footer_note()
        # on a narrow terminal keys have more to say
        journal = "" if self.has_class("narrow") else "journal "
        return f"{journal}saved {time.strftime('%H:%M:%S', time.localtime(at))}"

    # --- going about ------------------------------------------------------------------------------

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """All hosts again, if they were filtered; else back to where it was opened: the run goes on."""
        if self.filtered:
            self.filter_typed("", done=True)
        else:
            self.console.pop_screen()

    def command_runbook_transcript(self, arguments: tuple[str, ...]) -> None:
        """`t`."""
        self.console.open_transcript(self.run_id)
