"""The programs that back up, one adapter each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from guardian_tui.engine.backups.engines.base import Adapter
    from guardian_tui.protocol.backups import BackupEngine

_ADAPTERS: dict[BackupEngine, str] = {
    "borg": "Borg",
    "dumps": "Dumps",
    "pgbackrest": "Pgbackrest",
    "restic": "Restic",
    "rsync": "Rsync",
}
"""Engine → class of the module of its name, loaded when it is asked for: most engines use one or two."""


def adapter(engine: BackupEngine) -> Adapter:
    """The adapter of a backup engine.

    Raises:
        LookupError: none drives it.
    """
    name = _ADAPTERS.get(engine)
    if name is None:
        raise LookupError(f"no adapter drives {engine}")
    return cast("Adapter", getattr(import_module(f"{__name__}.{engine}"), name)())
