"""Words that documents, plans and runs share: kinds of steps, states, bounds of texts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Words = Annotated[str, msgspec.Meta(max_length=1000)]
Value = Annotated[str, msgspec.Meta(max_length=8192)]
StepKind = Literal[
    "instruct", "run", "check", "input", "choose", "approve", "wait", "backup", "silence", "notify"
]
StepState = Literal["todo", "asking", "running", "paused", "done", "failed", "skipped", "unknown", "undone"]
"""``unknown``: the engine ended in the middle of it, and nobody knows what came of it; ``undone``: it was taken back."""
RunState = Literal["asking", "running", "paused", "deciding", "ended"]
"""``asking``: a person goes on (:attr:`RunbookRun.asked` says how); ``deciding``: a step failed or is unknown, and a person says what to do."""
RunVerdict = Literal["", "done", "failed", "stopped", "rolled_back"]
Asked = Literal["", "confirm", "type", "input", "choose", "approve", "decide", "undo"]
"""``type``: :attr:`RunbookRun.phrase` has to be typed; ``undo``: whether a step is taken back."""
Act = Literal["go", "skip", "retry", "back", "accept", "undo", "rollback", "pause", "resume", "stop"]
"""``accept``: take a step that failed, or of which nothing is known, as done; ``rollback``: begin to take steps back; ``undo``: take this one back."""
Proof = Literal["", "waiting", "fixed", "not_fixed", "unknown"]
"""What the alert's rule says after the run, judged again with fresh probes."""
HostState = Literal["waiting", "running", "ok", "failed", "unknown"]
