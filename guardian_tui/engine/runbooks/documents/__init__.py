"""Runbooks as documents: read, checked, and their values put in.  Pure: no store, no network, no host."""

from guardian_tui.engine.runbooks.documents.findings import Finding, Findings
from guardian_tui.engine.runbooks.documents.judging import (
    Value,
    Verdict,
    command_values,
    judge,
    wanted_series,
)
from guardian_tui.engine.runbooks.documents.model import (
    ASK,
    END,
    ROLLBACK,
    STOP,
    Document,
    Fanout,
    Hosts,
    Option,
    Retry,
    Share,
    Step,
    StepKind,
    Variable,
)
from guardian_tui.engine.runbooks.documents.patterns import capture
from guardian_tui.engine.runbooks.documents.reading import parse
from guardian_tui.engine.runbooks.documents.rendering import MASK, Rendered, placeholders, render, render_text
from guardian_tui.engine.runbooks.documents.variables import check_value

__all__ = [
    "ASK", "END", "MASK", "ROLLBACK", "STOP", "Document", "Fanout", "Finding", "Findings", "Hosts", "Option", "Rendered", "Retry",
    "Share", "Step", "StepKind", "Value", "Variable", "Verdict", "capture", "check_value", "command_values", "judge", "parse",
    "placeholders", "render", "render_text", "wanted_series",
]  # fmt: skip
