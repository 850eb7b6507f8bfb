"""The retention policy that hosts work out by awk, against the same policy in plain Python."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.backups.engines.keeping import DOOMED

KINDS = (
    lambda at: at,
    lambda at: (at.date(), at.hour),
    lambda at: at.date(),
    lambda at: at.isocalendar()[:2],
    lambda at: (at.year, at.month),
    lambda at: at.year,
)
RUNS = st.lists(
    st.tuples(
        st.one_of(st.integers(1_700_000_000, 1_710_000_000), st.integers(0, 4_000_000_000)), st.booleans()
    ),
    max_size=25,
    unique_by=lambda run: run[0],
)


def _wanted(runs: list[tuple[int, bool]], counts: tuple[int, ...]) -> set[int]:
    """Which runs are forgotten: times of those that no rule keeps."""
    if not any(counts):
        return set()
    newest_first = sorted(runs, reverse=True)
    kept = set()
    for at, whole in newest_first:
        if whole:
            break
        kept.add(at)
    for number, (kind, count) in enumerate(zip(KINDS, counts, strict=True)):
        periods: dict[object, list[tuple[int, bool]]] = {}
        for at, whole in newest_first:
            periods.setdefault(kind(datetime.fromtimestamp(at, UTC)) if number else at, []).append(
                (at, whole)
            )
        for among in list(periods.values())[:count]:
            kept.add(next((at for at, whole in among if whole), among[0][0]))
    return {at for at, _ in runs} - kept


def _forgotten(awk: str, runs: list[tuple[int, bool]], counts: tuple[int, ...]) -> set[int]:
    lines = []
    for at, whole in runs:
        lines.append(f"size 1 r{at}")
        lines.append(
            f"r{at}.sha256:# guardian-dump job=web run=r{at} began={at} size=1 of={1 if whole else 2}"
        )
        # another job's, at the same time
        lines.append(f"o{at}.sha256:# guardian-dump job=web-2 run=o{at} began={at} size=1 of=1")
    script = f'awk() {{ {awk} "$@"; }}\n{DOOMED.replace("LC_ALL=C awk", "awk")}'
    argv = ["sh", "-c", script, "keep", "/folder", "web", ",".join(map(str, counts))]
    done = subprocess.run(
        argv, input="\n".join(lines), capture_output=True, check=True, text=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    )  # fmt: skip
    return {int(line[1:]) for line in done.stdout.split()}


@given(RUNS, st.tuples(*[st.integers(0, 4)] * 6))
@settings(max_examples=40, deadline=None)
def test_hosts_forget_just_what_the_policy_does_not_keep(runs, counts):
    assert _forgotten("command awk", runs, counts) == _wanted(runs, counts)


@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox awk"])
def test_three_years_of_nights_are_thinned_out_alike_by_every_awk(awk):
    if shutil.which(awk.split()[0]) is None:
        pytest.skip(f"{awk} is not installed")
    start = int(datetime(2023, 6, 1, 2, 30, tzinfo=UTC).timestamp())
    runs = [(start + 86400 * day + 60 * (day % 7), day % 11 != 0) for day in range(1100)]
    counts = (2, 3, 14, 8, 12, 3)
    assert _forgotten(awk, runs, counts) == _wanted(runs, counts)
