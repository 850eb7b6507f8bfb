"""Secrets of a run that are given as what the vault knows them by, and whose a person may name."""

from __future__ import annotations

from guardian_tui.engine.calls import Principal
from guardian_tui.protocol.errors import PermissionDenied

_KINDS = ("secret:", "keyring:", "env:")
OURS = "secret:runbooks/"
"""Secrets that whoever may run a runbook may have it use."""


def is_reference(value: str, secret: bool = True) -> bool:
    """Whether a secret is given as what the vault knows it by."""
    return secret and value.startswith(_KINDS)


def check_reference(principal: Principal | None, value: str, name: str) -> None:
    """Raise unless a person may have a command use what they name: else they could have any secret sent to a host of theirs.

    Raises:
        PermissionDenied: it is none for runbooks, and they are nobody who seals secrets.
    """
    if not is_reference(value) or value.startswith(OURS):
        return
    if principal is None or "secrets.write" not in principal.scopes:
        raise PermissionDenied(
            f"Name a secret of the vault that begins with runbooks/ ({OURS}NAME), or type it; others are for those who may seal secrets.",
            field=name,
        )
