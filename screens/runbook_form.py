"""The form of a runbook's page: where it runs, and the values that a person gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input

from guardian_tui.protocol.runbooks import RunbookDetail, RunbookPlan
from guardian_tui.text import safe
from screens.forms import SecretInput, Words
from screens.told_field import ToldField
from widgets.runbook_document import asked_for, field_words

HOSTS = "hosts"
_FIELD = "value-"
_TOLD = 60
"""Characters of what an empty field stands for."""


class RunbookForm(VerticalScroll, can_focus=False):
    """Hosts, then a field for each value; below them what the field in front wants.

    Args:
        hosts: names that stand in it first.
        values: that stand in it first.
    """

    DEFAULT_CSS = """
    RunbookForm { height: auto; max-height: 40%; border: round $g-border; border-title-color: $g-accent; padding: 0 1;
                  background: $g-background; scrollbar-size-vertical: 1; }
    RunbookForm:focus-within { border: round $g-accent; }
    RunbookForm #about { height: auto; max-height: 3; color: $g-muted; }
    RunbookForm #about.error { color: $g-critical; }
    """

    def __init__(self, hosts: Sequence[str], values: Mapping[str, str], id: str) -> None:
        super().__init__(id=id)
        self.border_title = "values"
        self._first_hosts = tuple(hosts)
        self._first_values = dict(values)
        self._detail: RunbookDetail | None = None

    def compose(self) -> ComposeResult:
        """Hosts; the other fields come with the document."""
        entry = Input(
            " ".join(self._first_hosts), id=HOSTS, placeholder="names, with blanks between", max_length=8000
        )
        yield ToldField(HOSTS, entry)
        yield Words("", id="about")

    async def make_fields(self, detail: RunbookDetail) -> None:
        """A field for each value that a person may give, once."""
        if self._detail is None:
            hint = self.query_one("#about")
            for one in asked_for(detail):
                value, words, id = self._first_values.get(one.name, ""), field_words(one), _FIELD + one.name
                entry = (
                    SecretInput(placeholder=words, id=id)
                    if one.secret
                    else Input(value, placeholder=words, id=id, max_length=8192)
                )
                await self.mount(ToldField(one.name, entry), before=hint)
        self._detail = detail

    # --- what stands in it ------------------------------------------------------------------------

    @property
    def fields(self) -> list[Input]:
        """From above to below."""
        return list(self.query(Input))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of hosts."""
        return tuple(self.query_one(f"#{HOSTS}", Input).value.replace(",", " ").split())

    @property
    def values(self) -> dict[str, str]:
        """Those that are not left empty."""
        return {
            (entry.id or "").removeprefix(_FIELD): entry.value.strip()
            for entry in self.fields
            if entry.id != HOSTS and entry.value.strip()
        }

    @property
    def entered(self) -> bool:
        """Whether a field has the focus."""
        return isinstance(self.screen.focused, Input) and self.screen.focused in self.fields

    def field(self, name: str) -> Input | None:
        """The field of a value, or of the hosts."""
        return next((one for one in self.fields if one.id in (name, _FIELD + name)), None)

    # --- what is said in it -----------------------------------------------------------------------

    def hint(self, words: str, *, error: bool = False) -> None:
        """Below the fields."""
        self.query_one("#about", Words).say(words, error=error)

    def tell(self, wrong: Mapping[str, str]) -> bool:
        """Say beside each field what is wrong with it; whether all of it could be."""
        fields = {one.field: one for one in self.query(ToldField)}
        for name, one in fields.items():
            one.tell(wrong.get(name, ""))
        return bool(wrong) and wrong.keys() <= fields.keys()

    def planned(self, plan: RunbookPlan) -> None:
        """Say in fields that are left empty what the plan took for them."""
        if not self.hosts:
            more = f" and {plan.hosts_count - 3} more" if plan.hosts_count > 3 else ""
            told = f"{', '.join(plan.hosts[:3])}{more}, if left empty" if plan.hosts else ""
            self.query_one(f"#{HOSTS}", Input).placeholder = safe(told, 300) or "names, with blanks between"
        for one in asked_for(self._detail) if self._detail is not None else ():
            entry = self.field(one.name)
            taken = plan.values.get(one.name, "") if one.origin == "alert" and not one.secret else ""
            if entry is not None and not entry.value:
                entry.placeholder = f"{safe(taken, _TOLD)}, if left empty" if taken else field_words(one)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Say what the field wants."""
        id = event.widget.id or ""
        if id == HOSTS:
            self.hint("Where it runs.")
        elif id.startswith(_FIELD) and self._detail is not None:
            one = next((one for one in asked_for(self._detail) if _FIELD + one.name == id), None)
            if one is not None:
                self.hint(f"{one.prompt or one.name} · {field_words(one)}")
