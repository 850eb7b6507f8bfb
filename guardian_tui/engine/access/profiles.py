"""Profiles of permissions and the scopes in which they hold; what is not granted is denied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guardian_tui.engine.calls import ANY_SCOPE, Scope
from guardian_tui.protocol.access import Grant
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.routes import PERMISSIONS, WHOLE

_VIEWER = frozenset({"hosts.see", "alerts.see", "checks.see", "backups.see", "runbooks.see", "engine.see"})
_SUPPORT = _VIEWER | {"alerts.acknowledge", "checks.run", "logs.see", "backups.run", "runbooks.run"}
_OPERATOR = _SUPPORT | {
    "alerts.silence", "checks.edit", "hosts.edit", "hosts.maintain", "hosts.trust", "channels.test", "audit.see", "secrets.write",
    "authorities.edit", "processes.signal", "units.control", "backups.edit",
    "backups.restore", "runbooks.approve", "runbooks.manage", "approvals.see", "approvals.give",
}  # fmt: skip
_AUDITOR = _VIEWER | {"audit.see", "audit.export", "accounts.see"}

PROFILES: Mapping[str, tuple[frozenset[str], str]] = {
    "viewer": (_VIEWER, "Sees hosts, checks, backups, runbooks and alerts."),
    "support": (
        _SUPPORT,
        "Sees, acknowledges alerts, makes checks and backups now, is led through runbooks.",
    ),
    "operator": (
        _OPERATOR,
        "Runs the fleet: hosts, checks, backups, restores, keys, silences, planned work; approves what others' runbooks will do.",
    ),
    "shell": (
        frozenset({"hosts.see", "shell.open"}),
        "May open a shell on hosts, which goes round runbooks and approvals: grant it beside another, on few hosts.",
    ),
    "auditor": (_AUDITOR, "Sees everything, exports the audit log, changes nothing."),
    "admin": (frozenset(PERMISSIONS), "May do everything, people included."),
}


@dataclass(frozen=True, slots=True)
class LabelScope:
    """Hosts that carry all of these labels."""

    wanted: tuple[tuple[str, str], ...]

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is inside."""
        return all(labels.get(key) == value for key, value in self.wanted)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Hosts of any of these scopes."""

    scopes: tuple[Scope, ...]

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is inside one of them."""
        return any(scope.covers(labels) for scope in self.scopes)


def parse_scope(text: str) -> Scope:
    """A scope from its words, ``key=value key2=value2``; empty is every host.

    Raises:
        InvalidRequest: a word is no ``key=value``.
    """
    pairs = []
    for word in text.split():
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            raise InvalidRequest(f"A scope is made of label=value words; {word!r} is none.", field="scope")
        pairs.append((key, value))
    return LabelScope(tuple(pairs)) if pairs else ANY_SCOPE


def check_grants(grants: Iterable[Grant]) -> None:
    """Raise InvalidRequest unless each names a profile and its scope can be read."""
    for grant in grants:
        if grant.profile not in PROFILES:
            raise InvalidRequest(
                f"There is no profile {grant.profile!r}; there are {', '.join(PROFILES)}.", field="profile"
            )
        parse_scope(grant.scope)


def scopes_of(grants: Iterable[Grant]) -> dict[str, Scope]:
    """Permission → the hosts it holds for, from all grants together.

    What concerns the engine as a whole is not given by a grant on some hosts: its secrets and its audit log are of all of them.
    """
    found: dict[str, list[Scope]] = {}
    for grant in grants:
        scope = parse_scope(grant.scope)
        held = PROFILES[grant.profile][0]
        for permission in held if scope is ANY_SCOPE else held - WHOLE:
            found.setdefault(permission, []).append(scope)
    return {
        permission: ANY_SCOPE
        if ANY_SCOPE in scopes
        else (scopes[0] if len(scopes) == 1 else AnyOf(tuple(scopes)))
        for permission, scopes in found.items()
    }


def roles_of(scopes: Iterable[str]) -> frozenset[str]:
    """Profiles all of whose permissions are among these: who may do all that an operator may is one, under whatever name."""
    held = set(scopes)
    return frozenset(name for name, (permissions, _) in PROFILES.items() if permissions - WHOLE <= held)


def contains(outer: Scope, inner: Scope) -> bool:
    """Whether every host of the inner scope is in the outer one (it may say no where only the hosts that there are would show it)."""
    if outer is ANY_SCOPE:
        return True
    if isinstance(inner, AnyOf):
        return all(contains(outer, part) for part in inner.scopes)
    if isinstance(outer, AnyOf):
        return any(contains(part, inner) for part in outer.scopes)
    return (
        isinstance(outer, LabelScope)
        and isinstance(inner, LabelScope)
        and set(outer.wanted) <= set(inner.wanted)
    )


def is_admin(grants: Iterable[Grant]) -> bool:
    """Whether these make an admin of every host."""
    return any(grant.profile == "admin" and not grant.scope.strip() for grant in grants)
