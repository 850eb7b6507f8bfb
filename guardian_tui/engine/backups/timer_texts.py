"""What a job's timer is on its host, as texts: the script and its settings, a pair of systemd's units or lines of a crontab.  Pure."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from math import ceil

import msgspec

from guardian_tui.engine.backups.engines.base import Adapter, Stage
from guardian_tui.engine.backups.runs import RETRY_SECONDS
from guardian_tui.engine.backups.schedule import Schedule, values, window_left, window_minutes
from guardian_tui.engine.backups.script import marks_of, render
from guardian_tui.engine.remote.detached import (
    BACKSTOP_SECONDS,
    TAIL_BYTES,
    DetachedRuns,
    assignments,
    scope_words,
    text_of,
)
from guardian_tui.engine.remote.host_timers import Form, Survey
from guardian_tui.protocol.backups import JobSpec

HEAD_BYTES = 8 << 20
"""Most that is kept of the beginning of what a run writes: there may be many that nobody fetched."""
RUNS_KEPT = 20
"""Of one timer, which no engine came to fetch."""
NAP_SECONDS = 5
TIMES_LOOKED_AT = 200
PATTERN_RUN, PATTERN_WORD = "ru0", "wo0"


@dataclass(frozen=True, slots=True)
class Timing:
    """When a timer goes off.

    Attributes:
        schedule: its times.
        jitter_seconds: begins so much later at most.
        opens: minutes after midnight when it is to look too, for times outside of the window; None: there are none such.
    """

    schedule: Schedule
    jitter_seconds: int
    opens: int | None


def timing(spec: JobSpec, schedule: Schedule, now: float, zone: tzinfo) -> Timing:
    """How a job's schedule, jitter and window come together; a window that is short makes the jitter smaller."""
    jitter, opens, at = spec.jitter_seconds, None, now
    if not spec.window:
        return Timing(schedule, int(jitter), None)
    begin, length = window_minutes(spec.window)
    for _ in range(TIMES_LOOKED_AT):
        at = schedule.after(at, zone)
        if at == float("inf"):
            break
        left = window_left(spec.window, at, zone)
        if left == 0.0:
            opens, left = begin, length * 60.0
        jitter = min(jitter, (left or 0.0) / 2)
    return Timing(schedule, int(jitter), opens)


def pattern(kind: str, job_id: str, length: int) -> str:
    """What stands in the script in place of a run's own name: the same each time, and in no job's words."""
    return hashlib.sha256(f"{kind} {job_id}".encode()).hexdigest()[:length]


def run_pattern(job_id: str) -> str:
    """In place of the run's id."""
    return pattern(PATTERN_RUN, job_id, 16)


def texts(
    job_id: str, spec: JobSpec, stages: Sequence[Stage], adapter: Adapter, time: Timing, survey: Survey, runs: DetachedRuns,
    secrets: Mapping[str, str] | None,
) -> dict[str, str]:  # fmt: skip
    """All texts of a timer by name, as :meth:`HostTimers.install` takes them.

    Args:
        job_id: names the timer.
        spec: the job.
        stages: of a run whose id is :func:`run_pattern`.
        adapter: of its repository's engine.
        time: when it goes off.
        survey: what its host can have.
        runs: how it begins runs.
        secrets: by variable; None: they can't be had now, and stay as they are.
    """
    word = f"@{pattern(PATTERN_WORD, job_id, 24)}"
    found = {
        "script": render(stages, word),
        "marks": msgspec.json.encode(marks_of(stages)).decode(),
        "settings": _settings(job_id, spec, adapter, time, runs, word),
        "timer": text_of("timer.sh"),
        "orders": text_of("detached_orders.sh"),
        **_form(job_id, spec.name, time, survey.form, f"{survey.place}/{job_id}/timer"),
    }
    if secrets is not None:
        found["secrets"] = assignments(secrets)
    return found


def _settings(
    job_id: str, spec: JobSpec, adapter: Adapter, time: Timing, runs: DetachedRuns, word: str
) -> str:
    opens, length = window_minutes(spec.window) if spec.window else ("", "")
    sets: dict[str, str | int] = {
        f"t_{name}": f",{','.join(map(str, some))},"
        for name, some in zip(
            ("minutes", "hours", "dates", "months", "days"), values(time.schedule), strict=True
        )
    }
    sets |= {
        "t_job": job_id, "t_folder": runs.folder, "t_shell": runs.shell, "t_manager": runs.manager, "t_jitter": time.jitter_seconds,
        "t_opens": opens, "t_length": length, "t_most": ceil(spec.most_seconds), "t_beyond": BACKSTOP_SECONDS,
        "t_grace": runs.grace_seconds, "t_nice": spec.nice, "t_idle": int(spec.idle_io), "t_head": HEAD_BYTES, "t_tail": TAIL_BYTES,
        "t_tries": spec.tries, "t_nap": NAP_SECONDS, "t_keep": RUNS_KEPT,
        "t_locked_pause": int(RETRY_SECONDS["locked"]), "t_cut_pause": int(RETRY_SECONDS["network"]),
        "t_id": run_pattern(job_id), "t_word": word,
    }  # fmt: skip
    for name, signs in (("locked", adapter.locked), ("cut", adapter.cut), ("lasting", adapter.lasting)):
        sets |= {f"t_{name}_codes": "|".join(map(str, signs.codes)), f"t_{name}_words": signs.words}
    # names and limits are known only when it begins
    scope = " ".join(f'"{option}"' for option in scope_words("$t_run", "$t_backstop"))
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in sets.items()]
    return "\n".join([*lines, f"t_scope={shlex.quote(scope)}", ""])


def _form(job_id: str, name: str, time: Timing, form: Form, program: str) -> dict[str, str]:
    if form == "cron":
        return {"cron": _cron(job_id, name, time, program)}
    opens = "" if time.opens is None else f"OnCalendar=*-*-* {time.opens // 60:02}:{time.opens % 60:02}:00\n"
    about = f"Guardian: backup {name}, kept by Guardian; edit the job there"
    quoted = program.replace("%", "%%")
    return {
        "service": f'[Unit]\nDescription={about}\n\n[Service]\nType=oneshot\nExecStart=/bin/sh "{quoted}" due\n'
        "TimeoutStartSec=infinity\nKillMode=process\n",
        "unit": f"[Unit]\nDescription={about}\n\n[Timer]\nOnCalendar={time.schedule.calendar}\n{opens}Persistent=true\n"
        f"RandomizedDelaySec={time.jitter_seconds}\nAccuracySec=1min\n\n[Install]\nWantedBy=timers.target\n",
    }


def _cron(job_id: str, name: str, time: Timing, program: str) -> str:
    """Its lines in a crontab: each names the timer's folder, by which it is found again."""
    minutes = values(time.schedule)[0]
    # not together with the schedule itself, and not all jobs of a host at once
    first = int(pattern("minute", job_id, 8), 16) % 60
    look = next(((first + n) % 60 for n in range(60) if (first + n) % 60 not in minutes), first)
    command = f"/bin/sh {shlex.quote(program)}".replace("%", "\\%")
    lines = [
        f"# Guardian keeps this for the backup {name}, edit the job there: {program}",
        f"{time.schedule.cron} {command} jitter >/dev/null 2>&1",
        f"{look} * * * * {command} missed >/dev/null 2>&1",
    ]
    if time.opens is not None:
        lines.append(f"{time.opens % 60} {time.opens // 60} * * * {command} missed >/dev/null 2>&1")
    return "\n".join([*lines, ""])


SHOWN = {
    "script": "its script", "marks": "its script", "settings": "its settings", "timer": "its program", "orders": "its program",
    "supervisor": "its program", "secrets": "its secrets", "cron": "its lines in the crontab", "service": "its unit", "unit": "its unit",
}  # fmt: skip
"""Text → what a person calls it."""
_ON_HOST = {"service": "unit.service", "unit": "unit.timer"}


def differing(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the texts that a host has not, or has otherwise."""
    all_of_it = {**wanted, "supervisor": text_of("detached.sh")}
    return tuple(
        name for name, text in all_of_it.items() if found.get(_ON_HOST.get(name, name)) != digest(text)
    )


def digest(text: str) -> str:
    """SHA-256, as hosts reckon it."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def sums(wanted: Mapping[str, str]) -> dict[str, str]:
    """Text → its digest, of all that is no secret."""
    all_of_it = {**wanted, "supervisor": text_of("detached.sh")}
    return {name: digest(text) for name, text in all_of_it.items() if name != "secrets"}


def foreign(before: Mapping[str, str], found: Mapping[str, str], asleep: bool) -> str:
    """What somebody else has changed since it was installed, in words; empty: nothing."""
    names = [SHOWN[name] for name, one in before.items() if found.get(_ON_HOST.get(name, name)) != one]
    if asleep:
        names.append("whether it is switched on")
    return ", ".join(dict.fromkeys(names))
