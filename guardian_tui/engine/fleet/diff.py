"""What an import would change: pure functions from what a source says, what it said last, and what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from guardian_tui.engine.fleet.sources.entry import Entry
from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.protocol.imports import FieldChange, FoundStatus

Said = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Host → the keys of its labels and its groups, as a source said last."""
NOTHING: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


@dataclass(frozen=True, slots=True)
class Planned:
    """A host of a source, as it would be."""

    entry: Entry
    spec: HostSpec
    status: FoundStatus
    changes: tuple[FieldChange, ...] = ()


def plan(entries: Sequence[Entry], known: Mapping[str, HostSpec], said: Said) -> list[Planned]:
    """Each host of a source against what is known; a host that is named twice counts once, the first time.

    A jump host that the source names by its address is found by it.
    """
    names = _by_address(entries, known)
    planned: dict[str, Planned] = {}
    for entry in entries:
        name = entry.spec.name
        if name in planned:
            continue
        entry = _with_jump_names(entry, names)
        current = known.get(name)
        spec = entry.spec if current is None else merged(entry, current, *said.get(name, NOTHING))
        changes = differences(current, spec) if current is not None else ()
        status: FoundStatus = "new" if current is None else "changed" if changes else "unchanged"
        planned[name] = Planned(entry, spec, status, changes)
    return list(planned.values())


def merged(
    entry: Entry, current: HostSpec, labels_before: Sequence[str], groups_before: Sequence[str]
) -> HostSpec:
    """A host with what a source says of it: what it does not speak of, or a person added, stays; what it took back goes."""
    new = entry.spec
    fields = {name: getattr(new, name) for name in entry.stated if name not in ("labels", "groups")}
    labels = {k: v for k, v in current.labels.items() if k not in labels_before} | new.labels
    groups = (set(current.groups) - set(groups_before)) | set(new.groups)
    # what was only sorted otherwise is no change
    ordered = current.groups if groups == set(current.groups) else tuple(sorted(groups))
    if fields.get("address") == current.name and current.address is None:
        del fields["address"]
    return msgspec.structs.replace(current, **fields, labels=labels, groups=ordered)


def differences(old: HostSpec, new: HostSpec) -> tuple[FieldChange, ...]:
    """Field by field; labels one by one."""
    changes = [
        FieldChange(field=name, old=_words(getattr(old, name)), new=_words(getattr(new, name)))
        for name in old.__struct_fields__
        if name != "labels" and getattr(old, name) != getattr(new, name)
    ]
    for key in sorted({*old.labels, *new.labels}):
        before, after = old.labels.get(key), new.labels.get(key)
        if before != after:
            changes.append(FieldChange(field=f"label {key}", old=before or "", new=after or ""))
    return tuple(changes)


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g} s"
    return "" if value is None else str(value)


def in_order(planned: Sequence[Planned]) -> list[Planned]:
    """Jump hosts before the hosts behind them."""
    by_name = {one.spec.name: one for one in planned}
    ordered: dict[str, Planned] = {}

    def visit(one: Planned, depth: int) -> None:
        if one.spec.name in ordered or depth > 8:
            return
        for hop in one.spec.jump:
            if hop in by_name:
                visit(by_name[hop], depth + 1)
        ordered[one.spec.name] = one

    for one in planned:
        visit(one, 0)
    return list(ordered.values())


def said_of(planned: Sequence[Planned]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """What a source says now, to be remembered."""
    return {
        one.spec.name: (tuple(sorted(one.entry.spec.labels)), tuple(one.entry.spec.groups)) for one in planned
    }


def _by_address(entries: Sequence[Entry], known: Mapping[str, HostSpec]) -> dict[str, str]:
    specs = [*(entry.spec for entry in entries), *known.values()]
    found: dict[str, str] = {}
    for spec in specs:
        if spec.address:
            found.setdefault(spec.address, spec.name)
    # a name means the host of that name, whoever has it as an address
    return found | {spec.name: spec.name for spec in specs}


def _with_jump_names(entry: Entry, names: Mapping[str, str]) -> Entry:
    jump = tuple(names.get(hop, hop) for hop in entry.spec.jump)
    if jump == tuple(entry.spec.jump):
        return entry
    return Entry(msgspec.structs.replace(entry.spec, jump=jump), entry.stated, entry.where, entry.unsupported)
