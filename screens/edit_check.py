"""Add or edit a check: what is looked at, from where, how often."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from guardian_tui.moments import parse_duration
from guardian_tui.protocol.check_params import PARAMS, WHERE, read_params
from guardian_tui.protocol.checks import CheckSpec
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.refusals import told, why_refused
from screens.forms import Card, Field, Words

_KEYS = "⏎ next field · ^s or ⏎ on the last: save · esc not now"


class EditCheckDialog(ModalScreen[CheckSpec | None]):
    """Answers the check's specification, or None.

    Args:
        spec: what stands there first; None for a new check.
        name, kind, host: what stands there first for a new check.
    """

    DEFAULT_CSS = """
    EditCheckDialog { align: center middle; background: $background 60%; }
    EditCheckDialog Card { width: 78; }
    EditCheckDialog Field { margin-bottom: 0; }
    EditCheckDialog #kinds { margin-top: 1; height: 4; }
    """
    BINDINGS = [("escape", "dismiss(None)", "Not now"), ("ctrl+s", "save", "Save")]  # as Textual has it

    def __init__(
        self, spec: CheckSpec | None = None, *, name: str = "", kind: str = "", host: str = ""
    ) -> None:
        super().__init__()
        self._spec = spec
        self._first = spec or CheckSpec(name="new", kind="http")
        self._name = spec.name if spec else name
        self._kind = spec.kind if spec else kind or "http"
        self._host = spec.host if spec else host

    def compose(self) -> ComposeResult:
        """The fields."""
        spec = self._first
        labels = " ".join(f"{key}={value}" for key, value in spec.labels.items())
        with Card() as card:
            card.border_title = "edit a check" if self._spec else "add a check"
            yield Field("Name", Input(self._name, id="name", max_length=100))
            yield Field("Kind", Input(self._kind, id="kind", max_length=20, disabled=self._spec is not None))
            yield Field(
                "Host",
                Input(
                    self._host,
                    id="host",
                    placeholder="the engine's own machine",
                    disabled=self._spec is not None,
                ),
            )
            yield Field(
                "Wants", Input(params_line(spec), id="params", placeholder="name=value name='two words'")
            )
            yield Field("From", Input(spec.where, id="where", placeholder="engine · forward · host"))
            yield Field("Every", Input(f"{spec.period_seconds:g}s", id="period_seconds", max_length=10))
            yield Field("At most", Input(f"{spec.timeout_seconds:g}s", id="timeout_seconds", max_length=10))
            yield Field("Labels", Input(labels, id="labels", placeholder="service=shop"))
            yield Words("", id="kinds", classes="muted")
            yield Words(_KEYS, id="words", classes="muted")

    def on_mount(self) -> None:
        """Say what the kind can be told."""
        self._tell_kind(self._kind)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another kind has other parameters."""
        if event.input.id == "kind":
            self._tell_kind(event.value.strip())

    def _tell_kind(self, kind: str) -> None:
        if kind in PARAMS:
            names = ", ".join(
                f"{field.name}{'*' * field.required}" for field in msgspec.structs.fields(PARAMS[kind])
            )
            words = f"{kind}, from {' or '.join(WHERE[kind])}; it wants: {names}"
        else:
            words = f"kinds: {', '.join(PARAMS)}"
        self.query_one("#kinds", Words).say(words)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on; on the last field it saves."""
        fields = [entry for entry in self.query(Input) if not entry.disabled]
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
        try:
            fields: dict[str, Any] = {  # Any: what a person typed
                "name": value["name"], "kind": value["kind"], "host": value["host"], "params": read_params_line(value["params"]),
                "where": value["where"], "labels": dict(pair.partition("=")[::2] for pair in value["labels"].split()),
                "enabled": self._first.enabled,
                **{name: parse_duration(value[name]) or value[name] for name in ("period_seconds", "timeout_seconds")},
            }  # fmt: skip
            spec = msgspec.convert(fields, CheckSpec, strict=False)
            read_params(spec.kind, spec.params)
        except InvalidRequest as error:
            self._refuse("params", error.detail)
        except msgspec.ValidationError as error:
            self._refuse(why_refused(error)[0].partition(".")[0] or "name", told(error))
        else:
            self.dismiss(spec)

    def _refuse(self, name: str, words: str) -> None:
        self.query_one("#words", Words).say(words, error=True)
        if name in {entry.id for entry in self.query(Input)}:
            self.query_one(f"#{name}", Input).focus()


def params_line(spec: CheckSpec) -> str:
    """Parameters as a person types them."""
    return " ".join(
        shlex.quote(f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}")
        for name, value in spec.params.items()
    )


def read_params_line(text: str) -> dict[str, str]:
    """Parameters by name, of a typed line.

    Raises:
        InvalidRequest: an open quote, or a word that is no ``name=value``.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidRequest(f"A quote is not closed: {text!r}.", field="params") from error
    params = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise InvalidRequest(f"Parameters are written name=value; {word!r} is none.", field="params")
        params[name] = value
    return params
