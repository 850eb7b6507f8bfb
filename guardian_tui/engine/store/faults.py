"""Words for what a database says when it fails, and whether it was the store that failed or the statement."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

_WORDS = {
    "database or disk is full": "the disk is full; free some space",
    "No space left": "the disk is full; free some space",
    "database is locked": "the store is locked by another process; end it or wait",
    "due to lock timeout": "the store is locked by another process; end it or wait",
    "attempt to write a readonly database": "the store is read-only; mend its permissions or its mount",
    "read-only transaction": "the store is read-only (a standby?); write to the primary",
    "disk I/O error": "the disk gave an error (is it full, or gone?)",
    "database disk image is malformed": "the store is damaged; restore it from a backup",
    "file is not a database": "the store is damaged (not a database); restore it from a backup",
    "unable to open database file": "the store's file can't be opened; mend its permissions",
}
_DAMAGE = ("malformed", "not a database", "encoding")
_FAILED = (*_DAMAGE, "readonly", "read-only", "full", "No space left", "closed", "terminat")


def words_of(error: BaseException) -> str:
    """The database's error as a person reads it, without the statement and its values."""
    origin = getattr(error, "orig", None) or error
    words = str(origin).splitlines()[0][:200] if str(origin) else type(origin).__name__
    return next((told for sign, told in _WORDS.items() if sign in words), words)


def is_damage(error: BaseException) -> bool:
    """Whether the file itself is broken; a locked or full one is not."""
    words = str(getattr(error, "orig", None) or error)
    return any(sign in words for sign in _DAMAGE)


def is_availability(error: DBAPIError) -> bool:
    """Whether the store failed, not the statement."""
    return isinstance(error, OperationalError | InterfaceError) or any(
        sign in str(error.orig) for sign in _FAILED
    )
