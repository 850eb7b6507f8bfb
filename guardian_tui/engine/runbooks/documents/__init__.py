"""Runbooks as documents: read, checked, and their values put in.  Pure: no store, no network, no host."""

from guardian_tui.engine.runbooks.documents.findings import Finding, Findings
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
    "Share", "Step", "StepKind", "Variable", "capture", "check_value", "parse", "placeholders", "render", "render_text",
]  # fmt: skip
