"""Checks of processes: how many there are of a kind."""

from __future__ import annotations

from guardian_tui.engine.fleet.checks.patterns import pattern
from guardian_tui.engine.fleet.checks.result import Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site, ended_well
from guardian_tui.protocol.check_params import ProcessParams
from guardian_tui.text import counted

# busybox has no -e, and shows a title; a command line may be as long as a book
COMMAND = "{ ps -eo user=,args= 2>/dev/null || ps -o user,args; } | cut -c1-1000"


def count_processes(text: str, wanted: str, user: str) -> int:
    """Lines of ``ps`` that match."""
    compiled, count = pattern(wanted), 0
    for line in text.splitlines():
        owner, _, arguments = line.strip().partition(" ")
        # long names are cut by ps, and marked with a plus
        mine = not user or owner == user or (owner.endswith("+") and user.startswith(owner[:-1]))
        if mine and compiled.search(arguments.strip()) is not None:
            count += 1
    return count


async def check_process(params: ProcessParams, site: Site) -> Result:
    """Count them."""
    text = ended_well(await site.run(COMMAND), "ps")
    if not text.strip():
        raise Unsure("ps says nothing")
    count = count_processes(text, params.pattern, params.user)
    words = counted(count, "process", "processes")
    result = ok(words, [Figure("check_processes", float(count))])
    result = result.and_if(count < params.least, f"{words}, wanted at least {params.least}")
    return result.and_if(bool(params.most) and count > params.most, f"{words}, wanted at most {params.most}")
