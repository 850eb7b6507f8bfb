"""A runbook's page: the document as prose, its values as a form, and exactly what a run would do, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from guardian_tui.commands import Command
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import (
    RunbookDetail,
    RunbookDryRun,
    RunbookOrder,
    RunbookPlan,
    RunbookRef,
    RunbookResult,
    RunbookRun,
    StartRunbook,
)
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.base import GuardianScreen
from screens.dialogs import ConfirmDialog
from screens.reports import ReportDialog
from screens.runbook_form import HOSTS, RunbookForm
from screens.work import begin
from widgets.box import Line
from widgets.footer import FooterKey
from widgets.lines_pane import LinesPane
from widgets.prose import words_lines
from widgets.runbook_document import document_lines, field_words, plan_head
from widgets.runbook_lines import plan_step_lines

NARROW = 110
COMMANDS = 3
"""Of a step whose commands differ by host that stand in the plan: each stands on the step's own screen before it runs."""


class RunbookScreen(GuardianScreen):
    """A runbook, and the plan of a run of it.

    Args:
        runbook_id: its id.
        hosts: names that stand in the form first.
        alert_id: the alert that a run answers; it fills values in.
        values: that stand in the form first.
    """

    CONTEXT: ClassVar[str] = "runbook"
    FOOTER_FIRST: ClassVar[tuple[str, ...]] = (
        "runbook.begin",
        "runbook.edit",
        "runbook.try",
        "runbook.changes",
        "runbook.auto",
    )
    BINDINGS = [("escape", "leave_form", "Out of the form")]  # as Textual has it
    DEFAULT_CSS = """
    RunbookScreen #document { width: 2fr; height: 1fr; }
    RunbookScreen #right { width: 3fr; height: 1fr; }
    RunbookScreen #plan { height: 1fr; }
    RunbookScreen.narrow #document { width: 1fr; display: none; }
    RunbookScreen.narrow #right { width: 1fr; }
    RunbookScreen.narrow.reading #document { display: block; }
    RunbookScreen.narrow.reading #right { display: none; }
    """

    def __init__(
        self,
        runbook_id: str,
        hosts: Sequence[str] = (),
        alert_id: str = "",
        values: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.runbook_id = runbook_id
        self._first_hosts = tuple(hosts)
        self._alert_id = alert_id
        self._first_values = dict(values or {})
        self._detail: RunbookDetail | None = None
        self._plan: RunbookPlan | None = None
        self._planned_for: RunbookOrder | None = None
        self._refused = ""
        self._results: dict[str, list[RunbookResult]] = {}
        self._tried = False
        self._auto = False
        self._wrong = ""
        """The field for which there is no plan of what stands in the form now."""

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The library, then this one."""
        name = safe(self.runbook_id, 60)
        return (name,) if self.has_class("narrow") else ("runbooks", name)

    @property
    def plan(self) -> RunbookPlan | None:
        """What a run would do, as it was planned last."""
        return self._plan

    def content(self) -> ComposeResult:
        """The document at the left; the form over the plan at the right."""
        with Horizontal():
            yield LinesPane(id="document")
            with Vertical(id="right"):
                yield RunbookForm(self._first_hosts, self._first_values, id="form")
                yield LinesPane(id="plan")

    def on_mount(self) -> None:
        """Read the document."""
        self._arrange()
        self.query_one("#plan").focus()
        begin(self, self._read, exclusive=True, group="document")

    def on_resize(self, event: events.Resize) -> None:
        """Fold or unfold the document."""
        self._arrange()

    def _arrange(self) -> None:
        self.set_class(self.app.size.width < NARROW, "narrow")

    def on_lines_pane_resized(self, event: LinesPane.Resized) -> None:
        """Wrap anew."""
        self._draw()

    def world_changed(self, change: Change) -> None:
        """Another version of the document is planned anew."""
        row = self.console.world.runbooks.get(self.runbook_id)
        if (
            change.runbooks
            and row is not None
            and self._detail is not None
            and row.hash != self._detail.row.hash
        ):
            begin(self, self._read, exclusive=True, group="document")

    async def _read(self) -> None:
        try:
            self._detail = await self.console.client.call(
                "runbooks.show", RunbookDetail, RunbookRef(runbook=self.runbook_id)
            )
        except GuardianError as error:
            self._refused = error.detail or error.title
            self._draw()
            return
        await self._form.make_fields(self._detail)
        self._draw()
        await self._make_plan()
        if self._plan is not None and self._plan.missing and isinstance(self.focused, LinesPane):
            self._focus_field(self._plan.missing[0].name)

    # --- the form ---------------------------------------------------------------------------------

    @property
    def _form(self) -> RunbookForm:
        return self.query_one(RunbookForm)

    def order(self) -> RunbookOrder:
        """What stands in the form."""
        form = self._form
        return RunbookOrder(
            runbook=self.runbook_id, hosts=form.hosts, values=form.values, alert=self._alert_id
        )

    def _focus_field(self, name: str) -> bool:
        entry = self._form.field(name)
        if entry is None:
            return False
        if self.has_class("reading"):
            self.remove_class("reading")
        entry.focus()
        return True

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Other keys work in the form."""
        self.refresh_frame()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on; after the last field the plan is made anew."""
        fields = self._form.fields
        if event.input not in fields:
            return
        place = fields.index(event.input)
        if place + 1 < len(fields):
            fields[place + 1].focus()
        else:
            self.query_one("#plan").focus()
        self._replan()

    def action_leave_form(self) -> None:
        """Back to the keys."""
        self.give_back_focus()
        self._replan()

    def offered(self) -> list[Command]:
        """What has changed is offered where something has."""
        changed = self._plan is not None and bool(self._plan.changed)
        return [command for command in super().offered() if changed or command.name != "runbook.changes"]

    def footer_keys(self) -> tuple[FooterKey, ...]:
        """While something is typed, the keys of the form; on a narrow terminal what is behind it too."""
        if self.composed and self._form.entered:
            return (FooterKey("⏎", "next field, then the plan"), FooterKey("esc", "to the keys"))
        keys = super().footer_keys()
        if self.has_class("narrow"):
            # what lies behind what is read, right after what begins and what leaves
            other = FooterKey("tab", "plan" if self.has_class("reading") else "document")
            keys = (*keys[:2], other, *keys[2:])
        return keys

    def give_back_focus(self) -> None:
        """To what is read."""
        self.query_one("#document" if self.has_class("reading") else "#plan").focus()

    # --- the plan ---------------------------------------------------------------------------------

    def _replan(self) -> None:
        begin(self, self._make_plan, exclusive=True, group="plan")

    async def _make_plan(self) -> None:
        order = self.order()
        try:
            plan = await self.console.ask("runbooks.plan", RunbookPlan, order)
        except GuardianError as error:
            # the plan of before stays in sight, but no run begins of it
            self._planned_for = None
            self._refuse(error)
            return
        self._take(plan, order)

    def _take(self, plan: RunbookPlan, order: RunbookOrder) -> None:
        if self._planned_for != order:
            self._results, self._tried = {}, False
        self._plan, self._planned_for, self._refused, self._wrong = plan, order, "", ""
        self._form.hint("")
        self._form.tell(plan.fields)
        self._form.planned(plan)
        self._draw()

    def _refuse(self, error: GuardianError) -> None:
        self._refused = error.detail or error.title
        form = self._form
        beside = form.tell({error.field: self._refused} if error.field else {})
        self._wrong = error.field if beside else ""
        if error.field and not form.entered:
            # whoever types in another field already is not torn away from it
            self._focus_field(error.field)
        form.hint("" if beside else self._refused, error=True)
        if beside:
            self._refused = "There is no plan until what is marked in the form is mended."
        self._draw()

    def _draw(self) -> None:
        if not self.composed:
            return
        detail = self._detail
        if detail is not None:
            pane = self.query_one("#document", LinesPane)
            pane.show(
                document_lines(detail, pane.width),
                safe(detail.row.title, 100),
                f"v{safe(detail.row.version, 20)}",
                safe(detail.row.commit, 40)[:8],
            )
        pane = self.query_one("#plan", LinesPane)
        note = "goes on by itself where it may" if self._auto else "asks before each step"
        pane.show(
            self._plan_lines(pane.width),
            "plan",
            "nothing has run yet",
            note,
            "warning" if self._auto else "muted",
        )

    def _plan_lines(self, width: int) -> list[Line]:
        plan = self._plan
        lines: list[Line] = []
        if self._refused:
            lines = words_lines([(safe(self._refused, 2000), "critical")], width, first="✖ ", rest="  ")
            if plan is not None:
                told = "Below stands the plan of what stood in the form before: nothing begins of it."
                lines += [*words_lines([(told, "muted")], width, first="  ", rest="  "), []]
        if plan is None:
            return lines or [[("reading…", "muted")]]
        lines += plan_head(plan, width)
        alert = self.console.world.alerts.get(self._alert_id)
        if alert is not None:
            told = f"{alert.title} on {alert.host} is measured anew at the end"
            lines += words_lines([(safe(told, 300), "text")], width, first="answers  ", rest="         ")
        if self._tried:
            lines.append([("dry run  ", "muted"), ("what reads was run, nothing was changed", "ok")])
        lines.append([])
        for planned in plan.steps:
            lines += plan_step_lines(planned, self._results.get(planned.step.name, ()), width, COMMANDS)
        return lines

    # --- commands ---------------------------------------------------------------------------------

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()

    def command_pane_next(self, arguments: tuple[str, ...]) -> None:
        """The document or the plan."""
        if self.has_class("narrow"):
            self.toggle_class("reading")
            self.give_back_focus()
        else:
            self.query_one("#plan" if self.focused is not self.query_one("#plan") else "#document").focus()

    def command_runbook_edit(self, arguments: tuple[str, ...]) -> None:
        """`e`: the field that was refused, else the first that has no value, else the first."""
        missing = self._plan.missing if self._plan else ()
        wanted = self._wrong or (missing[0].name if missing else "")
        if not (wanted and self._focus_field(wanted)):
            self._focus_field(HOSTS)

    def command_runbook_auto(self, arguments: tuple[str, ...]) -> None:
        """`A`."""
        self._auto = not self._auto
        self._draw()

    def command_runbook_changes(self, arguments: tuple[str, ...]) -> None:
        """`c`."""
        plan = self._plan
        if plan is None or not plan.changed:
            self.console.say(
                "The document is as it was at its last run."
                if plan and plan.last_run
                else "It has not run yet."
            )
            return
        styles = {"+": "good", "-": "error", "@": "muted"}
        self.console.push_screen(
            ReportDialog(
                "changed since the last run", [(line, styles.get(line[:1], "")) for line in plan.changed]
            )
        )

    def command_runbook_try(self, arguments: tuple[str, ...]) -> None:
        """`d`: what reads is run, and nothing else."""
        order = self.order()
        self.console.say("Running what reads, and nothing else…")

        def done(answer: RunbookDryRun) -> None:
            self._take(answer.plan, order)
            self._tried = True
            for one in answer.results:
                self._results.setdefault(one.step, []).append(one)
            self._draw()

        self._results = {}
        self._ask("runbooks.try", RunbookDryRun, order, done)

    def _ask(self, route: str, kind: type, order: RunbookOrder, done: object) -> None:
        async def work() -> None:
            try:
                answer: Response = await self.console.ask(route, kind, order)
            except GuardianError as error:
                self._refuse(error)
                self.console.say_error(error)
                return
            done(answer)  # type: ignore[operator]  # takes what the route answers

        self.run_worker(work(), group="orders", exit_on_error=False)

    def command_runbook_begin(self, arguments: tuple[str, ...]) -> None:
        """`⏎`: of the plan that is shown."""
        plan, order = self._plan, self.order()
        if self._wrong and self._form.query(".wrong"):
            # its words stand beside it
            self._focus_field(self._wrong)
        elif plan is None or self._planned_for != order:
            self._replan()
            self.console.say("The plan is made anew: look at it, then start.")
        elif plan.missing:
            self._focus_field(plan.missing[0].name)
            needed = {one.name: f"it needs a value: {field_words(one)}" for one in plan.missing}
            self._form.tell({**plan.fields, **needed})
        elif plan.problems:
            if plan.fields:
                self._focus_field(next(iter(plan.fields)))
            else:
                self.console.say(plan.problems[0], severity="error")
        elif self._auto:
            lines = [
                safe(plan.blast, 400),
                "",
                "It goes on by itself wherever no person is needed; what is dangerous is still typed in.",
            ]

            def answered(yes: bool | None) -> None:
                if yes:
                    self._begin(plan, order)

            self.console.push_screen(ConfirmDialog(f"start {plan.title}", lines), answered)
        else:
            self._begin(plan, order)

    def _begin(self, plan: RunbookPlan, order: RunbookOrder) -> None:
        start = StartRunbook(
            runbook=order.runbook, hosts=order.hosts, values=order.values, alert=order.alert, digest=plan.digest, auto=self._auto
        )  # fmt: skip

        def begun(run: RunbookRun) -> None:
            console = self.console
            console.world.runbook_runs.setdefault(run.id, run)
            if console.screen is self:
                console.pop_screen()
            console.open_runbook_run(run.id)

        self._ask("runbooks.run", RunbookRun, start, begun)
