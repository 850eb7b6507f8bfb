"""The fleet: hosts, alerts and the audit log at a glance; the first thing after login."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from guardian_tui import filter as filters
from guardian_tui.protocol.backups import shown_job_state
from guardian_tui.protocol.fleet import HostRow
from guardian_tui.protocol.views import View
from guardian_tui.rows import Table, host_columns, host_text, table_of
from guardian_tui.text import counted
from guardian_tui.world import Change, World
from screens.base import GuardianScreen, filter_crumb
from screens.choice import ChoiceDialog
from widgets.alerts_list import AlertsList
from widgets.audit_list import AuditList
from widgets.backups_pane import BackupsPane
from widgets.counts_line import Count, CountsLine
from widgets.hosts_columns import COLUMN_HELP, FIGURES, LABEL, PLAIN, column_named
from widgets.hosts_table import SORTS, HostsTable, Looks
from widgets.live_list import LiveList

NARROW = 110
"""Below this many columns the side panes fold into one line of counts."""
_PANES = ("hosts", "alerts", "backups", "audit")


class FleetScreen(GuardianScreen):
    """Four panes; a digit goes to one, `z` zooms it."""

    CONTEXT: ClassVar[str] = "fleet"
    FOOTER_FIRST = (
        "open", "filter", "line", "alert.acknowledge", "runbook.open", "problems", "zoom", "host.answer", "alert.silence", "host.processes", "host.add",
    )  # fmt: skip
    DEFAULT_CSS = """
    FleetScreen #panes { height: 1fr; }
    FleetScreen #hosts { width: 1fr; }
    FleetScreen #side { width: 31%; max-width: 60; min-width: 37; }
    FleetScreen #alerts { height: 1fr; }
    FleetScreen #backups { height: auto; min-height: 4; max-height: 10; }
    FleetScreen #backups.empty { display: none; }
    FleetScreen #audit { height: 1fr; }
    FleetScreen #counts { display: none; }
    FleetScreen.narrow #side, FleetScreen.narrow #audit { display: none; }
    FleetScreen.narrow #counts { display: block; }
    FleetScreen.zoom-hosts #side { display: none; }
    FleetScreen.zoom-alerts #hosts, FleetScreen.zoom-audit #hosts, FleetScreen.zoom-backups #hosts { display: none; }
    FleetScreen.zoom-alerts #side, FleetScreen.zoom-audit #side, FleetScreen.zoom-backups #side { display: block; width: 1fr; max-width: 100%; }
    FleetScreen.zoom-alerts #audit, FleetScreen.zoom-alerts #backups, FleetScreen.zoom-audit #alerts, FleetScreen.zoom-audit #backups,
    FleetScreen.zoom-backups #alerts, FleetScreen.zoom-backups #audit { display: none; }
    FleetScreen.zoom-audit #audit, FleetScreen.zoom-alerts #alerts { display: block; height: 1fr; }
    FleetScreen.zoom-backups #backups { display: block; height: 1fr; max-height: 100%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._pane = "hosts"
        self._zoomed = ""
        self._filter = ""

    def content(self) -> ComposeResult:
        """Hosts at the left, alerts, backups and audit at the right."""
        with Horizontal(id="panes"):
            yield HostsTable(id="hosts")
            with Vertical(id="side"):
                yield AlertsList(id="alerts")
                yield BackupsPane(id="backups")
                yield AuditList(id="audit")
        yield CountsLine(id="counts")

    @property
    def _hosts(self) -> HostsTable:
        return self.query_one(HostsTable)

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """Marked hosts or the one under the cursor; in the alerts pane, alerts."""
        if self._pane == "alerts":
            return (), self.query_one(AlertsList).chosen_ids
        return self._hosts.hosts_of(self._hosts.chosen_ids), ()

    def on_mount(self) -> None:
        """Focus the hosts."""
        for pane in (self._hosts, self.query_one(AlertsList)):
            pane.idle_seconds = self.console.idle_seconds
        self._arrange()
        self._hosts.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Fold or unfold the side panes."""
        self._arrange()

    def _arrange(self) -> None:
        self.set_class(self.app.size.width < NARROW, "narrow")
        for pane in _PANES:
            self.set_class(self._zoomed == pane, f"zoom-{pane}")

    # --- what is shown -----------------------------------------------------------------------

    def world_changed(self, change: Change) -> None:
        """Draw what an event changed."""
        world, now = self.console.world, self.console.world.now()
        hosts = tuple(world.hosts.values()) if change.complete else change.hosts
        if change.complete:
            self._hosts.apply(hosts, [r.id for r in self._hosts.shown if r.id not in world.hosts], now)
        elif hosts or change.hosts_gone:
            self._hosts.apply(hosts, change.hosts_gone, now)
        if change.alerts:
            self.query_one(AlertsList).show(world.firing(), now)
        if change.backups or change.complete:
            self._show_backups(now)
        if change.audit:
            self.query_one(AuditList).show(
                world.events(), self.console.verified_words(), holds=self.console.audit_holds
            )
        self._say_nothing()
        self._show_counts()

    def _say_nothing(self) -> None:
        """Why a list is empty, and what to do next."""
        hosts = self.console.world.hosts
        add, take = (
            self.console.key_of(self.console.registry.get(name)) for name in ("host.add", "host.import")
        )
        how = f"{take} imports ~/.ssh/config, :import FILE an inventory"
        words, more = f"No host yet: {add} adds one, {how}.", ""
        if hosts and self._filter:
            words = "No host passes the filter; esc shows all."
        elif hosts:
            words = "No host is in trouble; ! shows all."
        if len(hosts) == 1 and not self._filter:
            more = f"Next: {add} adds a host, {how}."
        self._hosts.say_nothing(words, more)
        self.query_one(AlertsList).say_nothing("Nothing fires.")

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._hosts.tick(now)
        self.query_one(AlertsList).tick(now)
        self._show_backups(now)
        self.query_one(AuditList).say_verified(self.console.verified_words(), holds=self.console.audit_holds)
        self._show_counts()

    def _show_backups(self, now: float) -> None:
        world, pane = self.console.world, self.query_one(BackupsPane)
        pane.set_class(not world.backups, "empty")
        pane.show(world.backups_by_trouble(), world.readiness.values(), now)
        pane.styles.height = min(10, len(pane.ids) + 2)

    def _show_counts(self) -> None:
        counts = self.console.world.counts()
        parts = [
            Count(
                "2",
                f"alerts {counts.alerts}" + (f" · {counts.critical} critical" if counts.critical else ""),
                "critical" if counts.critical else "muted",
            )
        ]
        if self.console.world.backups:
            parts.append(_backups_count(self.console.world))
        parts.append(
            Count(
                "4",
                f"audit {self.console.verified_words()}",
                "muted" if self.console.audit_holds else "critical",
            )
        )
        if counts.questions:
            parts.append(
                Count(
                    self.console.key_of(self.console.registry.get("host.answer")),
                    counted(counts.questions, "question"),
                    "warning",
                )
            )
        world = self.console.world
        if waiting := world.wait_for_others():
            parts.append(Count("g8", f"approve {len(waiting)}", "warning"))
        elif active := world.active_runs():
            parts.append(Count("g7", f"runs {len(active)}", "muted"))
        self.query_one(CountsLine).show(parts)

    # --- commands ------------------------------------------------------------------------------

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Open what is under the cursor of the pane in focus."""
        self._open(self.query_one(f"#{self._pane}", LiveList).cursor_id)

    def on_live_list_chosen(self, event: LiveList.Chosen) -> None:
        """A double click opens."""
        self._pane = event.list.id or "hosts"
        self._open(event.id)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The pane in focus is the one that commands act on."""
        if event.widget.id in _PANES:
            self._pane = event.widget.id

    def _open(self, id: str) -> None:
        if not id:
            return
        if self._pane == "hosts":
            if not self._hosts.toggle_fold(id):
                self.console.open_host(id)
        elif self._pane == "alerts":
            self.console.open_alert(id)
        elif self._pane == "backups":
            if id in self.console.world.backups:
                self.console.open_backup(id)
            else:
                self.console.go("backups")
        else:
            self.console.go("audit")

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Filter the hosts as it is typed."""
        wanted = self.parsed_filter(text, done=done)
        if wanted is None:
            return
        self._filter = text
        self._hosts.expect_filtered()
        self._hosts.set_filter(_passes(wanted) if text.strip() else None)
        self._say_nothing()
        self.refresh_frame()

    def give_back_focus(self) -> None:
        """Back to the pane."""
        self.query_one(f"#{self._pane}", LiveList).focus()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The filter is part of where we are."""
        return ("fleet", filter_crumb(self._filter)) if self._filter else ("fleet",)

    @property
    def kept_view(self) -> dict[str, object]:
        """Filter, order, columns, and whether only what is not well is shown."""
        return {"screen": "fleet", "filter": self._filter.strip(), **asdict(self._hosts.looked_at)}

    def show_view(self, view: View) -> None:
        """Look at the hosts as a view says."""
        self.command_pane_1(())
        self._hosts.look_at(Looks(view.sort, view.reverse, view.problems, view.columns))
        self.filter_typed(view.filter, done=True)

    def command_columns(self, arguments: tuple[str, ...]) -> None:
        """`c`, `:columns [COLUMN…|auto]`."""
        unknown = [word for word in arguments if word != "auto" and not column_named(word)]
        if unknown:
            known = " ".join((*FIGURES, *PLAIN))
            self.console.say(
                f"There is no column {unknown[0]}; there are {known}, label:KEY, and auto.", severity="error"
            )
        elif arguments:
            self._hosts.set_columns([word for word in arguments if word != "auto"])
        else:
            self._choose_columns()

    def _choose_columns(self, at: str = "") -> None:
        chosen = self._hosts.columns_chosen
        keys = sorted({key for row in self.console.world.hosts.values() for key in row.labels})[:100]
        choices = [
            (name, f"{'✓' if name in chosen else ' '} {name}", help)
            for name, help in (
                *COLUMN_HELP.items(),
                *((f"{LABEL}{key}", "a label of the hosts") for key in keys),
            )
        ]
        choices.append(("auto", "  auto", "as many as there is room for"))

        def picked(name: str | None) -> None:
            if name is None:
                return
            left = [one for one in chosen if one != name]
            self._hosts.set_columns([] if name == "auto" else left if name in chosen else [*chosen, name])
            if name != "auto":
                self._choose_columns(name)

        self.console.push_screen(ChoiceDialog("columns of the hosts", choices, at=at), picked)

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Undo one thing: marks, zoom, filter."""
        if self._hosts.clear_marks():
            return
        if self._zoomed:
            self._zoomed = ""
            self._arrange()
            self.command_pane_1(())
        elif self._filter:
            self.filter_typed("", done=True)
        self.refresh_frame()

    def command_problems(self, arguments: tuple[str, ...]) -> None:
        """Only hosts that are not well, or all again."""
        self._hosts.toggle_problems()

    def command_mark(self, arguments: tuple[str, ...]) -> None:
        """Mark the row."""
        self.query_one(f"#{self._pane}", LiveList).toggle_mark()

    def command_range(self, arguments: tuple[str, ...]) -> None:
        """Mark from the last mark to here."""
        self.query_one(f"#{self._pane}", LiveList).mark_range()

    def command_zoom(self, arguments: tuple[str, ...]) -> None:
        """The pane in focus takes all the room, or gives it back."""
        self._zoomed = "" if self._zoomed else self._pane
        self._arrange()
        self.give_back_focus()

    def _go_pane(self, pane: str) -> None:
        if self.has_class("narrow") or self._zoomed:
            self._zoomed = "" if pane == "hosts" else pane
            self._arrange()
        self._pane = pane
        self.query_one(f"#{pane}", LiveList).focus()

    def command_pane_next(self, arguments: tuple[str, ...]) -> None:
        """The next pane."""
        self._go_pane(_PANES[(_PANES.index(self._pane) + 1) % len(_PANES)])

    def command_pane_1(self, arguments: tuple[str, ...]) -> None:
        """Hosts."""
        self._go_pane("hosts")

    def command_pane_2(self, arguments: tuple[str, ...]) -> None:
        """Alerts."""
        self._go_pane("alerts")

    def command_pane_3(self, arguments: tuple[str, ...]) -> None:
        """Backups."""
        self._go_pane("backups")

    def command_pane_4(self, arguments: tuple[str, ...]) -> None:
        """Audit."""
        self._go_pane("audit")

    def command_sort_name(self, arguments: tuple[str, ...]) -> None:
        """`N`, or `:sort COLUMN`."""
        column = (
            {"mem": "memory", "trouble": "state", "traffic": "net", "uptime": "up"}.get(
                arguments[0], arguments[0]
            )
            if arguments
            else "name"
        )
        if column in SORTS:
            self._hosts.sort_by(column)
        else:
            self.console.say(
                f"There is no order by {column}; there are {', '.join(SORTS)}.", severity="error"
            )

    def command_sort_state(self, arguments: tuple[str, ...]) -> None:
        """`S`."""
        self._hosts.sort_by("state")

    def command_sort_cpu(self, arguments: tuple[str, ...]) -> None:
        """`C`."""
        self._hosts.sort_by("cpu")

    def command_sort_memory(self, arguments: tuple[str, ...]) -> None:
        """`M`."""
        self._hosts.sort_by("memory")

    def command_sort_disk(self, arguments: tuple[str, ...]) -> None:
        """`D`."""
        self._hosts.sort_by("disk")

    @property
    def table_shown(self) -> Table:
        """What `^s` saves: the hosts, without what is no cell."""
        return table_of(HostRow, self._hosts.shown, {"cpu_points", "jump"})


def _passes(wanted: filters.Filter) -> Callable[[HostRow], bool]:
    return lambda row: wanted.matches(host_columns(row), host_text(row))


def _backups_count(world: World) -> Count:
    """The backups pane in a word, for the line of counts."""
    judged = [shown_job_state(row, world.now()) for row in world.backups.values() if row.enabled]
    well = sum(state in ("ok", "running") for state in judged)
    return Count("3", f"backups {well}/{len(judged)}", "muted" if well == len(judged) else "critical")
