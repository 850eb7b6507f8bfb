"""Checks of files: their age and size."""

from __future__ import annotations

import shlex

from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site
from guardian_tui.protocol.check_params import FileParams
from guardian_tui.text import counted, safe

_MISSING = "No such file"


async def check_file(params: FileParams, site: Site) -> Result:
    """Look at it by the host's own clock."""
    done = await site.run(
        f"LC_ALL=C; export LC_ALL; date +%s && stat -L -c '%Y %s' -- {shlex.quote(params.path)}"
    )
    words = (done.err or done.out).decode("utf-8", "replace")
    if done.exit_status != 0:
        if _MISSING not in words:
            raise Unsure(f"it can't be looked at: {safe(words.strip(), 200)}")
        if params.absent:
            return ok("it is not there")
        raise Failed("it is not there")
    if params.absent:
        raise Failed("it is there")
    age, size = read_stat(done.out.decode("ascii", "replace"))
    return judge(params, age, size)


def read_stat(text: str) -> tuple[float, int]:
    """Age in seconds and size in bytes.

    Raises:
        Unsure: it is not what stat prints.
    """
    try:
        now, written, size = (int(word) for word in text.split())
    except ValueError as error:
        raise Unsure(f"what stat says can't be read: {safe(text.strip(), 100)!r}") from error
    return float(max(-(1 << 40), min(1 << 40, now - written))), min(size, 1 << 62)


def judge(params: FileParams, age: float, size: int) -> Result:
    """Age and size against what is wanted."""
    result = ok(
        f"{counted(size, 'byte')}, written {age:.0f} s ago",
        [Figure("check_file_age_seconds", age), Figure("check_file_bytes", float(size))],
    )
    for wrong, words in (
        (
            bool(params.age_max) and age > params.age_max,
            f"written {age:.0f} s ago, wanted within {params.age_max:.0f}",
        ),
        (
            bool(params.age_min) and age < params.age_min,
            f"written {age:.0f} s ago, wanted {params.age_min:.0f} at least",
        ),
        (size < params.size_min, f"{counted(size, 'byte')}, wanted at least {params.size_min}"),
        (
            bool(params.size_max) and size > params.size_max,
            f"{counted(size, 'byte')}, wanted at most {params.size_max}",
        ),
    ):
        result = result.and_if(wrong, words)
    return result
