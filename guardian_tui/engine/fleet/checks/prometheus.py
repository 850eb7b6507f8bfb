"""Prometheus endpoints as a source: metrics that are named become series."""

from __future__ import annotations

from itertools import islice

from guardian_tui.engine.fleet.checks.exposition import chosen, matches, parse_exposition
from guardian_tui.engine.fleet.checks.http import fetch
from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, finite, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch
from guardian_tui.protocol.check_params import HttpParams, PrometheusParams
from guardian_tui.text import counted

MOST_SERIES = 200


async def check_prometheus(params: PrometheusParams, site: Site) -> Result:
    """Read the endpoint, and take what is chosen."""
    watch = Stopwatch()
    answer = await fetch(params.url, HttpParams(url=params.url, authorization=params.authorization), site)
    if isinstance(answer, Result):
        return answer
    if answer.status != 200:
        raise Failed(f"status {answer.status}, wanted 200")
    values, bad = parse_exposition(answer.text())
    if not values:
        raise Failed("it shows no metrics")
    found = list(chosen(values, params.metrics))
    figures = [
        Figure("check_prometheus", value.value, value.series, "count") for value in islice(found, MOST_SERIES) if finite(value.value)
    ]  # fmt: skip
    words = f"{counted(len(values), 'sample')} in {watch.seconds * 1000:.0f} ms, {len(figures)} chosen"
    if len(found) > MOST_SERIES:
        words += f" ({len(found) - MOST_SERIES} more left out)"
    if bad:
        words += f", {counted(bad, 'line')} can't be read"
    if answer.cut:
        words += ", cut at 4 MiB"
    missing = [name for name in params.metrics if not any(matches(value.name, (name,)) for value in values)]
    return ok(words, figures).and_if(bool(missing), f"it has no {', '.join(missing)[:120]}", "warning")
