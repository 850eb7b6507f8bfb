"""The error tree that engine and client share, and its wire form.

Every error that reaches a person is a :class:`GuardianError`: what happened (``title``), what it means and what to
do next (``detail``), where (``field``).  On the wire it is an RFC 9457 problem document whose ``type`` is stable.
"""

from __future__ import annotations

import msgspec

PROBLEM_PREFIX = "urn:guardian:problem:"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem document.  ``type`` is :data:`PROBLEM_PREFIX` plus a stable kebab-case code."""

    type: str
    title: str
    status: int
    detail: str = ""
    field: str = ""
    request_id: str = ""
    retry_after_seconds: float = 0.0


class GuardianError(Exception):
    """Root of all errors that are told to a person.

    Args:
        detail: what it means and what to do next, in one or two sentences.
        field: the input that is at fault, if one is.
        retry_after_seconds: when it is worth trying again; 0 if unknown.
    """

    code = "internal"
    status = 500
    title = "Something went wrong inside Guardian"

    def __init__(self, detail: str = "", *, field: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.field = field
        self.retry_after_seconds = retry_after_seconds

    def problem(self, request_id: str = "") -> Problem:
        """The wire form of this error."""
        return Problem(
            type=PROBLEM_PREFIX + self.code,
            title=self.title,
            status=self.status,
            detail=self.detail,
            field=self.field,
            request_id=request_id,
            retry_after_seconds=self.retry_after_seconds,
        )


class InternalError(GuardianError):
    """A fault of ours: logged with its request id, shown without its innards."""

    code = GuardianError.code


class InvalidRequest(GuardianError):
    """The request does not fit its type or its bounds."""

    code, status, title = "invalid-request", 400, "The request is not valid"


class NotAuthenticated(GuardianError):
    """No session, or one that has ended."""

    code, status, title = "not-authenticated", 401, "Log in first"


class LoginRefused(GuardianError):
    """Name, password or code is wrong; the same answer for each."""

    code, status, title = "login-refused", 401, "Name, password or code is wrong"


class SessionLocked(GuardianError):
    """The session is idle-locked; unlock it."""

    code, status, title = "session-locked", 401, "The session is locked"


class StepUpRequired(GuardianError):
    """The order wants a fresh second factor."""

    code, status, title = "step-up-required", 403, "A fresh code is needed"


class ApprovalNeeded(GuardianError):
    """Another person has to approve it first; ``field`` is the id under which it waits."""

    code, status, title = "approval-needed", 428, "Another person has to approve this"


class PermissionDenied(GuardianError):
    """The principal may not do this, or not to this host."""

    code, status, title = "permission-denied", 403, "You may not do this"


class NotFound(GuardianError):
    """No such thing, or not in your scope (the two look the same)."""

    code, status, title = "not-found", 404, "There is no such thing"


class MethodNotAllowed(GuardianError):
    """There is such a path, but it takes another method."""

    code, status, title = "method-not-allowed", 405, "This path takes another method"


class Conflict(GuardianError):
    """It exists already, or it has changed since you looked."""

    code, status, title = "conflict", 409, "It has changed or exists already"


class TooManyRequests(GuardianError):
    """Slow down; ``retry_after_seconds`` says how long."""

    code, status, title = "too-many-requests", 429, "Too many tries"


class VaultLocked(GuardianError):
    """A secret is needed and the vault has not been unlocked since the engine started."""

    code, status, title = "vault-locked", 423, "The vault is locked"


class AuditUnavailable(GuardianError):
    """The audit event can't be written, so the order was not carried out."""

    code, status, title = "audit-unavailable", 503, "The audit log can't be written, so nothing was done"


class ResultUnrecorded(GuardianError):
    """The order was carried out, and the event that says so can't be written; its intent is on disk."""

    code, status, title = (
        "result-unrecorded",
        500,
        "It was done, but the audit log could not take that it was",
    )


class StoreUnavailable(GuardianError):
    """The store is full, locked, read-only or damaged."""

    code, status, title = "store-unavailable", 503, "The store can't be used"


class LoginUnavailable(GuardianError):
    """The store can't be used, so nobody gets in; the same answer whether or not what was given is right."""

    code, status, title = "login-unavailable", 503, "Nobody can log in now"

    def __init__(
        self,
        detail: str = "The engine's store can't be used, and a login that can't be recorded is refused. "
        "Make room on its disk, or end what holds its database; the engine's log says which.",
        *,
        field: str = "",
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(detail, field=field, retry_after_seconds=retry_after_seconds)


class HostUnavailable(GuardianError):
    """The host can't be reached or refused us; the detail says why in words."""

    code, status, title = "host-unavailable", 502, "The host can't be reached"


class RepositoryUnavailable(GuardianError):
    """A repository of backups can't be used now; the detail says why in words, and what to do."""

    code, status, title = "repository-unavailable", 502, "The repository can't be used now"


class ChannelFailed(GuardianError):
    """A message could not be handed over; the detail says why in words."""

    code, status, title = "channel-failed", 502, "The message was not delivered"


class VersionMismatch(GuardianError):
    """Client and engine don't speak the same protocol version."""

    code, status, title = "version-mismatch", 426, "Client and engine are of different versions"


class EngineUnreachable(GuardianError):
    """Client side only: nothing answers on the engine's socket."""

    code, status, title = "engine-unreachable", 503, "The engine does not answer"


def _tree(root: type[GuardianError]) -> dict[str, type[GuardianError]]:
    # what only adds fields to another error is that error on the wire
    found = {root.code: root} if "code" in vars(root) else {}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


def from_problem(problem: Problem) -> GuardianError:
    """The error that a problem document stands for; an unknown type becomes :class:`GuardianError`."""
    kind = _tree(GuardianError).get(problem.type.removeprefix(PROBLEM_PREFIX), GuardianError)
    return kind(
        problem.detail or problem.title, field=problem.field, retry_after_seconds=problem.retry_after_seconds
    )
