"""Add a repository or a backup job, or edit one: few fields, sensible defaults; the rest is in the config file and the headless commands."""

from __future__ import annotations

import shlex
from typing import Any, Generic, TypeVar

import msgspec
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Input

from guardian_tui.moments import parse_duration, parse_size, written_size
from guardian_tui.protocol.backups import JobSpec, RepositorySpec
from guardian_tui.protocol.refusals import told, why_refused
from screens.forms import Card, Field, SecretInput, Words
from widgets import figures

S = TypeVar("S")
_KEYS = "⏎ next field · ^s or ⏎ on the last: save · esc not now"
PASSWORDS = {"restic": "RESTIC_PASSWORD", "borg": "BORG_PASSPHRASE"}
"""Engine → the variable of a repository's password."""


class _SpecDialog(ModalScreen[S | None], Generic[S]):
    """Fields that become a specification."""

    DEFAULT_CSS = """
    _SpecDialog { align: center middle; background: $background 60%; }
    _SpecDialog Card { width: 80; }
    _SpecDialog Field { margin-bottom: 0; }
    """
    BINDINGS = [("escape", "dismiss(None)", "Not now"), ("ctrl+s", "save", "Save")]  # as Textual has it
    heading = ""

    def fields(self) -> ComposeResult:
        """The fields."""
        raise NotImplementedError

    def spec(self, value: dict[str, str]) -> S:
        """The specification of what was typed.

        Raises:
            msgspec.ValidationError: a field does not fit.
            ValueError: something can't be understood.
        """
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The fields on a card."""
        with Card() as card:
            card.border_title = self.heading
            yield from self.fields()
            yield Words(_KEYS, id="words", classes="muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on; on the last field it saves."""
        fields = [entry for entry in self.query(Input) if not entry.disabled]
        place = fields.index(event.input)
        if place + 1 < len(fields):
            self.set_focus(fields[place + 1])
        else:
            self.action_save()

    def action_save(self) -> None:
        """Check, and answer."""
        value = {entry.id or "": entry.value.strip() for entry in self.query(Input)}
        try:
            self.dismiss(self.spec(value))
        except msgspec.ValidationError as error:
            self._refuse(why_refused(error)[0].partition(".")[0], told(error))
        except ValueError as error:
            self._refuse("", str(error))

    def _refuse(self, name: str, words: str) -> None:
        self.query_one("#words", Words).say(words, error=True)
        if name in {entry.id for entry in self.query(Input)}:
            self.query_one(f"#{name}", Input).focus()


class EditRepositoryDialog(_SpecDialog[tuple[RepositorySpec, str]]):
    """Answers the repository's specification and a password to seal (empty: none was typed), or None.

    Args:
        before: what stands there first; None for a new one.
        host: the host that stands there first for a new one.
    """

    def __init__(self, before: RepositorySpec | None = None, host: str = "") -> None:
        super().__init__()
        self._before = before
        self._host = before.host if before else host
        self.heading = "edit a repository" if before else "add a repository"

    def fields(self) -> ComposeResult:
        """Name, engine, where, by which host, password."""
        one = self._before
        yield Field(
            "Name", Input(one.name if one else "", id="name", max_length=60, disabled=one is not None)
        )
        yield Field(
            "Engine",
            Input(one.engine if one else "restic", id="engine", max_length=12, disabled=one is not None),
        )
        yield Field(
            "Location",
            Input(
                one.location if one else "",
                id="location",
                placeholder="/srv/backup · sftp:user@store:/path · ssh://store/path",
            ),
        )
        yield Field("Read by host", Input(self._host, id="host", max_length=253))
        yield Field(
            "Password", SecretInput("sealed in the vault as backups/NAME; empty: as it is", id="password")
        )
        yield Field("Site", Input(one.site if one else "", id="site", placeholder="where its disks stand"))
        yield Field(
            "Keeper", Input(one.keeper if one else "", id="keeper", placeholder="whose key can delete it")
        )
        yield Field(
            "Holds at most",
            Input(
                written_size(one.capacity_bytes) if one and one.capacity_bytes else "",
                id="capacity_bytes",
                placeholder="2T · 500G; empty: as its place tells, if it does",
                max_length=20,
            ),
        )
        yield Words("engines: restic, borg, pgbackrest (location: the stanza), dumps, rsync", classes="muted")

    def spec(self, value: dict[str, str]) -> tuple[RepositorySpec, str]:
        """The specification, and the password."""
        before = msgspec.to_builtins(self._before) if self._before else {}
        password = value.pop("password")
        capacity = parse_size(value["capacity_bytes"] or "0")
        if capacity is None:
            raise ValueError("Holds at most: write a size, 2T or 500G; empty: as its place tells.")
        variable = PASSWORDS.get(value["engine"])
        secrets = dict(before.get("secrets", {}))
        if variable and (password or not self._before):
            secrets[variable] = f"secret:backups/{value['name']}"
        return msgspec.convert(
            {**before, **value, "capacity_bytes": capacity, "secrets": secrets}, RepositorySpec
        ), password


class EditJobDialog(_SpecDialog[JobSpec]):
    """Answers the job's specification, or None.

    Args:
        before: what stands there first; None for a new one.
        host, repository: what stands there first for a new one.
    """

    def __init__(self, before: JobSpec | None = None, host: str = "", repository: str = "") -> None:
        super().__init__()
        self._before = before
        self._first = before or JobSpec(
            name="new", host=host, repository=repository or "none", schedule="daily"
        )
        self._repository = before.repository if before else repository
        self.heading = "edit a backup" if before else "add a backup"

    def fields(self) -> ComposeResult:
        """What, where, when, how soon it must be back."""
        one, new = self._first, self._before is None
        kept = " ".join(f"{name}={count}" for name, count in msgspec.to_builtins(one.keep).items() if count)
        yield Field("Name", Input("" if new else one.name, id="name", max_length=60, disabled=not new))
        yield Field("Host", Input(one.host, id="host", placeholder="the engine's own machine"))
        yield Field("Repository", Input(self._repository, id="repository", max_length=60))
        yield Field(
            "Folders", Input(shlex.join(one.sources), id="sources", placeholder="/etc /srv '/with space'")
        )
        yield Field("Without", Input(shlex.join(one.excludes), id="excludes", placeholder="/srv/cache"))
        yield Field(
            "Databases",
            Input(
                " ".join(f"{d.kind}:{d.database}" for d in one.dumps),
                id="dumps",
                placeholder="postgresql:shop sqlite:/srv/a.db",
            ),
        )
        yield Field(
            "Own state",
            Input(
                "yes" if one.own_state else "",
                id="own_state",
                placeholder="yes: Guardian's own state, from its own machine",
                max_length=3,
            ),
        )
        yield Field(
            "Runs", Input(one.schedule, id="schedule", placeholder="daily · Mon..Fri 02:30 · 30 2 * * *")
        )
        yield Field(
            "Begun by", Input(one.timer, id="timer", placeholder="host: its own timer · engine", max_length=6)
        )
        yield Field("Window", Input(one.window, id="window", placeholder="22:00-06:00", max_length=11))
        yield Field("Keeps", Input(kept, id="keep", placeholder="daily=7 weekly=5 monthly=12; empty: all"))
        yield Field(
            "At most old",
            Input(figures.age(one.rpo_seconds), id="rpo_seconds", placeholder="26h (RPO)", max_length=10),
        )
        yield Field(
            "Back within",
            Input(figures.age(one.rto_seconds), id="rto_seconds", placeholder="4h (RTO)", max_length=10),
        )
        yield Field(
            "Drill every",
            Input(
                f"{one.drill.every_days:g}d", id="drill", placeholder="30d; 0: never by itself", max_length=10
            ),
        )
        yield Field(
            "Drill asks",
            Input(
                one.drill.probe_sql,
                id="probe_sql",
                placeholder="SELECT count(*) > 1000 FROM orders (of what was restored)",
                max_length=2000,
            ),
        )
        yield Field(
            "And is told",
            Input(
                one.drill.probe_answer,
                id="probe_answer",
                placeholder="t; empty: any row will do",
                max_length=200,
            ),
        )

    def spec(self, value: dict[str, str]) -> JobSpec:
        """The specification."""
        before: dict[str, Any] = msgspec.to_builtins(self._first)  # Any: the fields of a specification
        days = parse_duration(value["drill"] or "0d")
        if days is None:
            raise ValueError("Drill every: write days, 30d; 0d: never by itself.")
        dumps = [_dump(word, before["dumps"]) for word in shlex.split(value["dumps"])]
        drill = {**before["drill"], "every_days": days / 86400}
        drill |= {name: value[name] for name in ("probe_sql", "probe_answer")}
        fields = {
            **before, "own_state": _yes("Own state", value["own_state"]), **{name: value[name] for name in ("name", "host", "repository", "schedule", "timer", "window")},
            "sources": shlex.split(value["sources"]), "excludes": shlex.split(value["excludes"]), "dumps": dumps,
            "keep": _pairs(value["keep"]), "rpo_seconds": _seconds("At most old", value["rpo_seconds"]),
            "rto_seconds": _seconds("Back within", value["rto_seconds"]), "drill": drill,
        }  # fmt: skip
        return msgspec.convert(fields, JobSpec)


def _seconds(label: str, text: str) -> float:
    found = parse_duration(text)
    if found is None:
        raise ValueError(f"{label}: write a duration, 26h or 2d.")
    return found


def _yes(label: str, text: str) -> bool:
    if text.lower() not in ("", "no", "yes"):
        raise ValueError(f"{label}: write yes, or leave it empty.")
    return text.lower() == "yes"


def _pairs(text: str) -> dict[str, int]:
    found = {}
    for word in text.split():
        name, equals, count = word.partition("=")
        if not equals or not count.isdigit():
            raise ValueError(f"Keeps: write daily=7 weekly=5; {word!r} is neither.")
        found[name] = int(count)
    return found


def _dump(word: str, before: list[dict[str, Any]]) -> dict[str, Any]:  # Any: the fields of a dump
    kind, colon, database = word.partition(":")
    if not colon:
        raise ValueError(f"Databases: write postgresql:NAME, mysql:NAME or sqlite:/PATH; {word!r} is none.")
    known = next((one for one in before if (one["kind"], one["database"]) == (kind, database)), None)
    return known or {"kind": kind, "database": database}
