"""What a run of a check comes to, and the two ways in which it does not go well: their fault, or ours."""

from __future__ import annotations

import asyncio
import errno
import math
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.protocol.checks import CheckFigure, Range
from guardian_tui.protocol.errors import GuardianError, HostUnavailable
from guardian_tui.protocol.metrics import METRICS
from guardian_tui.text import safe

Outcome = Literal["ok", "warning", "failed", "unknown"]
WORDS_LIMIT = 300
_RANK: dict[Outcome, int] = {"ok": 0, "unknown": 1, "warning": 2, "failed": 3}

_OUR_NETWORK = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE,
                          errno.EACCES, errno.EPERM, errno.ENOBUFS, errno.ENOMEM})  # fmt: skip


class Failed(Exception):
    """What is checked is not as it must be; the message says how."""


class Unsure(Exception):
    """We can't tell: a fault of ours, or of the way; the message says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value of a run.  ``label`` follows the check's name in the series' instance; ``unit`` is the metric's unless given.

    Thresholds and bounds are those of whoever measured it.
    """

    metric: str
    value: float
    label: str = ""
    unit: str = ""
    warning: Range | None = None
    critical: Range | None = None
    least: float | None = None
    most: float | None = None

    def shown(self, check: str) -> CheckFigure:
        """It as the page of a check of this name shows it."""
        return CheckFigure(
            series=self.series(check), value=self.value, unit=self.unit or METRICS[self.metric].unit, warning=self.warning,
            critical=self.critical, least=self.least, most=self.most,
        )  # fmt: skip

    def series(self, check: str) -> str:
        """Its series for a check of this name."""
        return f"{self.metric}{{{check}/{self.label}}}" if self.label else f"{self.metric}{{{check}}}"


@dataclass(frozen=True, slots=True)
class Result:
    """A run's outcome in a state, in words, and in figures."""

    state: Outcome
    words: str
    figures: tuple[Figure, ...] = ()

    def and_if(self, wrong: bool, words: str, state: Outcome = "failed") -> Result:
        """This result, made worse where something is wrong; the first fault of the worst kind gives the words."""
        if not wrong:
            return self
        worse = _RANK[state] > _RANK[self.state]
        return replace(self, state=state if worse else self.state, words=words if worse else self.words)


def ok(words: str, figures: Iterable[Figure] = ()) -> Result:
    """All is well."""
    return Result("ok", words, tuple(figures))


def finite(value: float) -> bool:
    """Whether it is a number that a chart can show."""
    return math.isfinite(value) and abs(value) < 1e300


def of_error(error: BaseException, *, from_engine: bool) -> Result | None:
    """What an error of a run comes to; None for one that is not foreseen.

    Args:
        error: what was raised.
        from_engine: it was the engine that reached out, not the host's connection.
    """
    if isinstance(error, Failed):
        return Result("failed", str(error))
    if isinstance(error, Unsure):
        return Result("unknown", str(error))
    if isinstance(error, ConnectFailed | HostUnavailable):
        return Result("unknown", f"no way to its host: {error.detail}")
    if isinstance(error, GuardianError):
        return Result("unknown", error.detail)
    if isinstance(error, socket.gaierror):
        # a resolver that does not answer is ours; a name that it does not know is theirs
        ours = error.errno not in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        return Result("unknown" if ours else "failed", f"its name can't be resolved: {_text(error)}")
    if isinstance(error, ssl.SSLError):
        return Result("failed", f"TLS: {tls_words(error)}")
    if isinstance(error, ConnectionRefusedError):
        return Result("failed", "connection refused")
    if isinstance(error, ConnectionResetError | BrokenPipeError | asyncio.IncompleteReadError | EOFError):
        return Result("failed", "it closed the connection")
    if isinstance(error, TimeoutError):
        return Result("failed", "no answer")
    if isinstance(error, OSError):
        ours = from_engine and error.errno in _OUR_NETWORK
        return Result("unknown" if ours else "failed", _text(error))
    return None


def _text(error: BaseException) -> str:
    return safe(str(getattr(error, "strerror", "") or error or type(error).__name__), 200)


def tls_words(error: ssl.SSLError) -> str:
    """An SSL error's own words, without OpenSSL's file and line."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
        return safe(error.verify_message, 200)
    return safe((error.reason or str(error)).replace("_", " ").lower(), 200)
