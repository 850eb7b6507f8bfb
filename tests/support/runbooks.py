"""Rows and answers of runbooks for canned screens: a full disk that somebody is led through."""

from __future__ import annotations

from msgspec.structs import replace

from guardian_tui.protocol.events import Delta
from guardian_tui.protocol.runbooks import (
    PlannedCommand,
    PlannedStep,
    RunbookDetail,
    RunbookList,
    RunbookMark,
    RunbookMatch,
    RunbookMatches,
    RunbookOption,
    RunbookOutput,
    RunbookPiece,
    RunbookPlan,
    RunbookProgress,
    RunbookResult,
    RunbookRow,
    RunbookRun,
    RunbookRunDetail,
    RunbookRunList,
    RunbookStep,
    RunbookVariable,
    RunbookWatcher,
    RunbookWatchers,
    Transcript,
)
from tests.widgets.fleet_app import NOW

HOSTILE = "\x1b]52;c;x\x07[@click=app.quit]\u202eevil"
KEEP = RunbookVariable(
    name="keep", type="int", prompt="Keep how many days of journal?", default="7", minimum="2"
)
MOUNT = RunbookVariable(name="mount", type="path", origin="alert", prompt="Which file system?")
STEPS = (
    RunbookStep(name="usage", kind="run", number=1, prose="## Look first\n\nSee how full it *really* is.", text="df -P -- {{mount}}", captures=("used",)),
    RunbookStep(
        name="cause", kind="choose", number=2, text="What is filling the disk?",
        options=(RunbookOption(answer="logs", target="keep"), RunbookOption(answer="database", target="wal"), RunbookOption(answer="unknown", target="stop")),
    ),
    RunbookStep(name="keep", kind="input", number=3, prose="## Free space safely", text="Keep how many days of journal?", variable=KEEP),
    RunbookStep(
        name="vacuum", kind="run", number=4, title="vacuum the journal", text="journalctl --vacuum-time={{keep}}d", user="root",
        prose="The journal may be cut, the database's **WAL** may not. If the database fills the disk, answer `database` in step 2: the runbook then calls an engineer.",
        dangerous="deleted journal files are gone",
    ),
    RunbookStep(name="recheck", kind="check", number=5, title="check again", text="df -P -- {{mount}}", expect="used < 85"),
    RunbookStep(name="tell", kind="notify", number=6, title="tell the others", text="/var is well again"),
)  # fmt: skip
ROW = RunbookRow(
    id="disk-almost-full", title="Disk almost full", file="disk-almost-full.md", version="3", hash="ab" * 32, summary="Frees space without losing data.",
    rules=("disk_low", "disk_forecast"), roles=("support",), steps=6, dangerous=1, commit="4f1c2a9d", last_run="r0", last_at=NOW - 86400 * 3, last_verdict="done",
)  # fmt: skip
ROWS = (
    ROW,
    RunbookRow(id="unit-failed", title="A unit has failed", file="unit-failed.md", version="1", rules=("unit_failed",), steps=7, dangerous=2),
    RunbookRow(id="hostile", title=HOSTILE, file="h.md", version="1", rules=(HOSTILE,), steps=1),
    RunbookRow(id="broken", title="Rotate keys", file="rotate.md", problems=(f"rotate.md:12:9: the value {HOSTILE} stands inside quotes",)),
)  # fmt: skip
DETAIL = RunbookDetail(
    row=ROW, variables=(MOUNT, KEEP), steps=STEPS, epilogue="Look at what fills it for good."
)
VACUUM = PlannedStep(
    step=STEPS[3], commands=(PlannedCommand(command="journalctl --vacuum-time=7d", hosts=("web-eu-12",), count=1),), hosts=1, batches=(1,),
    permission="runbooks.run", person="It is dangerous: deleted journal files are gone", phrase="web-eu-12",
)  # fmt: skip
USAGE = PlannedStep(
    step=STEPS[0], commands=(PlannedCommand(command="df -P -- /var", hosts=("web-eu-12",), count=1),), hosts=1, batches=(1,), permission="runbooks.run"
)  # fmt: skip
PLAN = RunbookPlan(
    runbook=ROW.id, title=ROW.title, version="3", hash=ROW.hash, hosts=("web-eu-12",), hosts_count=1,
    steps=(
        USAGE, PlannedStep(step=STEPS[1], words="What is filling the disk?", person="A person has to choose."),
        PlannedStep(step=STEPS[2], words="Keep how many days of journal?", person="It asks for a value that was not given."), VACUUM,
        replace(USAGE, step=STEPS[4]), PlannedStep(step=STEPS[5], words="Tell all channels: /var is well again"),
    ),
    blast="2 steps of 6 change something on up to 1 host; 1 is dangerous, none can be taken back.", dangerous=1, digest="d" * 64, values={"mount": "/var"},
    changed=("--- last run", "+++ now", "-version: 2", "+version: 3"), last_run="r0",
)  # fmt: skip
_MARKS = (
    RunbookMark(step="usage", state="done", attempt=1, by="sup-2", at=NOW - 100, words="used = 93"),
    RunbookMark(step="cause", state="done", attempt=1, by="sup-2", at=NOW - 80, words="logs"),
    RunbookMark(step="keep", state="done", attempt=1, by="sup-2", at=NOW - 60, words="7"),
    RunbookMark(step="vacuum", state="asking", at=NOW - 60),
    RunbookMark(step="recheck", state="todo"),
    RunbookMark(step="tell", state="todo"),
)
RUN = RunbookRun(
    id="r1", runbook=ROW.id, title=ROW.title, document_version="3", hash=ROW.hash, state="asking", by="ops-1", leader="sup-2", started_at=NOW - 250,
    version=12, step="vacuum", number=4, marks=_MARKS, current=VACUUM, asked="type", acts=("go", "skip", "back", "stop"), phrase="web-eu-12",
    hosts=("web-eu-12",), hosts_count=1, values={"mount": "/var", "keep": "7"}, alert="a1", rule="disk_low", digest="d" * 64, led_before="ops-1",
    led_since=NOW - 120,
)  # fmt: skip
WATCHERS = RunbookWatchers(
    id="r1",
    watchers=(RunbookWatcher("sup-2", since=NOW - 240), RunbookWatcher("ops-1", 2), RunbookWatcher("grace")),
)
RUN_DETAIL = RunbookRunDetail(run=RUN, steps=STEPS, epilogue=DETAIL.epilogue)
OUTPUT = RunbookOutput(
    pieces=(
        RunbookPiece(
            number=1, at=NOW - 100, step="usage", attempt=1, host="web-eu-12", stream="out",
            text=f"Filesystem     1024-blocks     Used Available Capacity Mounted on\n/dev/sda3         46120352 42892016   3228336      93% /var\n{HOSTILE}\n",
        ),
    )
)  # fmt: skip


def at(step: int, **changes: object) -> RunbookRun:
    """The run at another step (from 1), its marks as they are then."""
    marks = tuple(
        replace(mark, state="done" if place + 1 < step else "asking" if place + 1 == step else "todo")
        for place, mark in enumerate(_MARKS)
    )
    run = replace(
        RUN,
        step=STEPS[step - 1].name,
        number=step,
        marks=marks,
        version=RUN.version + step,
        phrase="",
        asked="confirm",
        current=PLAN.steps[step - 1],
    )
    return replace(run, **changes)


MANY = tuple(f"web-eu-{place:02}" for place in range(1, 21))
FANNED = at(
    4, state="running", asked="", acts=("pause", "stop"), hosts=MANY, hosts_count=20,
    current=replace(VACUUM, hosts=20, batches=(1, 5, 14), step=replace(STEPS[3], fanout="1, then 25 %, then all; stops after 1 failure"),
                    commands=(PlannedCommand(command="journalctl --vacuum-time=7d", hosts=MANY, count=20),)),
    marks=tuple(replace(mark, state="running", attempt=1, at=NOW - 42) if mark.step == "vacuum" else mark for mark in _MARKS),
)  # fmt: skip
RESULTS = tuple(
    RunbookResult(
        id=f"r1/vacuum/{host}", run="r1", step="vacuum", host=host, state="failed" if place == 2 else "ok" if place < 6 else "running" if place < 9 else "waiting",
        captured={"freed": "1.2G"} if place < 6 else {}, batch=1 if place == 0 else 2 if place < 6 else 3, exit_code=1 if place == 2 else 0 if place < 6 else None,
        words=f"exit code 1 {HOSTILE}" if place == 2 else "", last_line="" if place > 6 else "Vacuuming done, freed 1.2G of archived journals.",
        started_at=NOW - 40 if place < 9 else None, ended_at=NOW - 20 if place < 6 else None,
    )
    for place, host in enumerate(MANY)
)  # fmt: skip
PROGRESS = RunbookProgress(
    id="r1", step="vacuum", attempt=1, batch=3, batches=3, waiting=11, running=3, ok=5, failed=1, measured_at=NOW,
    tail="web-eu-01: Vacuuming done, freed 1.2G of archived journals.\nweb-eu-03: Failed to vacuum: Permission denied",
)  # fmt: skip
ENDED = replace(
    RUN, id="r0", state="ended", verdict="done", asked="", acts=(), step="", number=0, current=None, started_at=NOW - 86400 * 3, ended_at=NOW - 86400 * 3 + 400,
    proof="fixed", proof_words="disk_low on web-eu-12 is judged anew: 71 %, threshold 90 %.", marks=tuple(replace(m, state="done") for m in _MARKS),
)  # fmt: skip
MATCHES = RunbookMatches(
    matches=(
        RunbookMatch(
            run="r0",
            runbook=ROW.id,
            step="vacuum",
            host="web-eu-12",
            at=NOW - 86400 * 3,
            line=f"freed 1.2G {HOSTILE}",
        ),
    )
)
TRANSCRIPT = Transcript(
    text=f"# Disk almost full\n\nRun r0 of `disk-almost-full`\n\n- 08:00 sup-2 began it\n\nOutput of `vacuum` on web-eu-12:\n\n```\nfreed 1.2G {HOSTILE}\n```\n",
    hash="f" * 64,
)  # fmt: skip
ANSWERS = {
    "runbooks.list": RunbookList(runbooks=ROWS), "runbooks.runs": RunbookRunList(runs=(ENDED,)), "runbooks.show": DETAIL, "runbooks.plan": PLAN,
    "runbooks.run": at(1), "runbooks.follow": RUN_DETAIL, "runbooks.output": OUTPUT, "runbooks.transcript": TRANSCRIPT, "runbooks.search": MATCHES,
}  # fmt: skip


def delta(*runs: RunbookRun, **more: object) -> Delta:
    """What the stream brings: the library, and these runs."""
    return Delta(seq=99, runbooks=ROWS, runbook_runs=runs, **more)  # type: ignore[arg-type]  # tables of rows
