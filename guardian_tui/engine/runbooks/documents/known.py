"""What a document names that lies outside of it, held against what there is: channels, hosts, jobs of backups."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from guardian_tui.engine.runbooks.documents.fields import Fields
from guardian_tui.engine.runbooks.documents.findings import did_you_mean
from guardian_tui.engine.runbooks.documents.model import Hosts, Step
from guardian_tui.engine.runbooks.documents.rendering import placeholders

MOST_NAMED = 12
"""Names that a hint tells; of more only one that is nearly right."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Names that there are; None: not known here, so nothing is held against them."""

    channels: frozenset[str] | None = None
    hosts: frozenset[str] | None = None
    jobs: frozenset[str] | None = None


def check_known(step: Step, fields: Fields, known: Known) -> None:
    """Note what a step names and there is not.  It is a warning: the document is sound, and may be meant for elsewhere."""
    check_hosts(step.hosts, fields, known)
    if step.kind == "notify" and known.channels is not None:
        if not known.channels:
            fields.note(
                "notify", "no-channel", "This tells nobody, and fails: there is no channel.", "Set one up under [alerts.channels].",
                of_key=True, severity="warning",
            )  # fmt: skip
        else:
            _missing(fields, "channels", "channel", step.channels, known.channels)
    if step.kind == "backup" and known.jobs is not None:
        _missing(fields, "backup", "backup job", (step.text,), known.jobs)


def check_hosts(hosts: Hosts | None, fields: Fields, known: Known) -> None:
    """The same of the hosts on which a document or a step acts."""
    if hosts is not None and known.hosts is not None:
        _missing(fields, "hosts", "host", hosts.names, known.hosts)


def _missing(fields: Fields, key: str, what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name in known or any(placeholders(name)):
            continue
        hint = did_you_mean(name, known)
        if not hint or (len(known) > MOST_NAMED and not hint.startswith("Did")):
            hint = f"There are {len(known)} others." if known else "There is none yet."
        fields.note(
            key, f"unknown-{what.replace(' ', '-')}", f"There is no {what} {name[:60]!r}.", hint, severity="warning"
        )  # fmt: skip
