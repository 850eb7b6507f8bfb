"""Adds up what all processes noted and holds it against the gates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import slipcover

from tests.measuring.sitecustomize import ALL, NOT_MEANT_TO_RUN, OMITTED, ROOT

OVERALL = 90
CRITICAL = (
    "guardian_tui/engine/dispatch.py", "guardian_tui/engine/access/", "guardian_tui/engine/audit/", "guardian_tui/engine/vault/",
    "guardian_tui/engine/runbooks/",
)  # fmt: skip
CRITICAL_WORDS = "dispatch, access, audit, vault and runbooks"


def added_up(notes: Iterable[Path]) -> dict[str, Any]:
    """What ran of all of the product, with the files of which nothing did."""
    nothing = slipcover.Slipcover(
        branch=True, source=[str(ROOT / path) for path in ALL.split(":")], omit=[str(ROOT / path) for path in OMITTED],
        exclude_also=list(NOT_MEANT_TO_RUN),
    )  # fmt: skip
    whole: dict[str, Any] = nothing.get_coverage()
    for note in notes:
        slipcover.merge_coverage(whole, json.loads(note.read_text()))
    return whole


def part_of(whole: dict[str, Any], beginnings: tuple[str, ...]) -> dict[str, Any]:
    """Of that, the files whose paths begin so, summed up anew."""
    files = {path: one for path, one in whole["files"].items() if path.startswith(beginnings)}
    part = {"meta": whole["meta"], "files": files}
    slipcover.merge_coverage(part, {"meta": whole["meta"], "files": {}})
    return part


def held(folder: Path) -> bool:
    """Whether what the processes noted in that folder passes both gates; prints what did not run."""
    whole = added_up(folder.glob("*.json"))
    critical = part_of(whole, CRITICAL)
    slipcover.print_coverage(whole, skip_covered=True, missing_width=60)
    overall, least = whole["summary"]["percent_covered"], critical["summary"]["percent_covered"]
    print(f"\ncoverage by lines and branches: {overall:.2f} % overall, {least:.2f} % of {CRITICAL_WORDS}")
    if (
        overall >= OVERALL
        and not critical["summary"]["missing_lines"]
        and not critical["summary"]["missing_branches"]
    ):
        return True
    slipcover.print_coverage(critical, skip_covered=True)
    print(f"coverage gate: {OVERALL} % overall, 100 % of {CRITICAL_WORDS}")
    return False
