"""Add or edit a host: how it is reached."""

from __future__ import annotations

import msgspec
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.protocol.refusals import told, why_refused
from screens.forms import Card, Field, Words


class EditHostDialog(ModalScreen[HostSpec | None]):
    """Answers the host's specification, or None.

    Args:
        spec: what stands there first; None for a new host.
        name, address: what stands there first for a new host.
    """

    DEFAULT_CSS = """
    EditHostDialog { align: center middle; background: $background 60%; }
    EditHostDialog Card { width: 72; }
    EditHostDialog Field { margin-bottom: 0; }
    """
    BINDINGS = [("escape", "dismiss(None)", "Not now"), ("ctrl+s", "save", "Save")]  # as Textual has it

    def __init__(self, spec: HostSpec | None = None, *, name: str = "", address: str = "") -> None:
        super().__init__()
        self._spec = spec
        self._name = spec.name if spec else name
        self._address = (spec.address or "") if spec else address

    def compose(self) -> ComposeResult:
        """The fields."""
        spec = self._spec
        labels = " ".join(f"{key}={value}" for key, value in spec.labels.items()) if spec else ""
        with Card() as card:
            card.border_title = f"edit {self._name}" if spec else "add a host"
            yield Field("Name", Input(self._name, id="name", max_length=253))
            yield Field(
                "Address",
                Input(self._address, id="address", max_length=253, placeholder="the same as the name"),
            )
            yield Field("Port", Input(str(spec.port) if spec else "22", id="port", max_length=5))
            yield Field(
                "User", Input(spec.user if spec else "", id="user", max_length=64, placeholder="your own")
            )
            yield Field(
                "Through",
                Input(
                    " ".join(spec.jump) if spec else "",
                    id="jump",
                    placeholder="names of jump hosts, nearest first",
                ),
            )
            yield Field(
                "Credential",
                Input(
                    spec.credential if spec else "",
                    id="credential",
                    placeholder="agent · key:PATH · secret:NAME · ask · (agent, then keys)",
                ),
            )
            yield Field(
                "Commands by",
                Input(
                    spec.command_credential if spec else "",
                    id="command_credential",
                    placeholder="the same; another key if this one may only poll",
                ),
            )
            yield Field(
                "Environment",
                Input(spec.environment if spec else "", id="environment", placeholder="prod, staging…"),
            )
            yield Field("Labels", Input(labels, id="labels", placeholder="role=web site=eu"))
            yield Field(
                "Groups",
                Input(" ".join(spec.groups) if spec else "", id="groups", placeholder="web frontend"),
            )
            yield Words("")
            yield Words("⏎ next field · ^s or ⏎ on the last: save · esc not now", id="words", classes="muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on; on the last field it saves.  A new host with name and address is saved by enter on the address' port too."""
        fields = list(self.query(Input))
        place = fields.index(event.input)
        if place + 1 < len(fields):
            self.set_focus(fields[place + 1])
        else:
            self.save()

    def action_save(self) -> None:
        """Save from any field."""
        self.save()

    def save(self) -> None:
        """Check, and answer."""
        value = {entry.id or "": entry.value.strip() for entry in self.query(Input)}
        fields = {
            **(msgspec.structs.asdict(self._spec) if self._spec else {}),
            "name": value["name"], "address": value["address"] or None, "port": value["port"] or "22", "user": value["user"],
            "jump": value["jump"].replace(",", " ").split(), "credential": value["credential"],
            "command_credential": value["command_credential"], "environment": value["environment"],
            "labels": dict(pair.partition("=")[::2] for pair in value["labels"].split()),
            "groups": value["groups"].replace(",", " ").split(),
            "interval_seconds": self._spec.interval_seconds if self._spec else 5.0,
        }  # fmt: skip
        try:
            self.dismiss(msgspec.convert(fields, HostSpec, strict=False))
        except msgspec.ValidationError as error:
            name = why_refused(error)[0].partition(".")[0] or "name"
            self.query_one("#words", Words).say(told(error), error=True)
            if name in value:
                self.query_one(f"#{name}", Input).focus()
