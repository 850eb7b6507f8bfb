"""Restores to hosts that don't get at the repository: the host that reads it writes the files as a tar archive, and the engine hands it over.

Nothing of it lies on the way, and the host that it goes to is told no secret of the repository.  It lives as long as the engine: what was carried when
that ended is there, and the run says that it is not all.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from msgspec.structs import replace

from guardian_tui.engine.backups import hashes
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Judgement, Stage, StageEnd
from guardian_tui.engine.backups.engines.broken import NO_SPACE
from guardian_tui.engine.backups.engines.carrying import Part, carrying
from guardian_tui.engine.backups.hashes import Hash
from guardian_tui.engine.backups.outcome import restored
from guardian_tui.engine.backups.runs import PERSON, Run
from guardian_tui.engine.backups.script import Reader
from guardian_tui.engine.backups.sites import Sites
from guardian_tui.engine.backups.work import COUNT, Restore, folder_stage, room_stage
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.handed_over import HandedOver, Side
from guardian_tui.engine.remote.secretly import exports, with_secrets
from guardian_tui.engine.remote.ways import Way, Ways
from guardian_tui.protocol.backups import Progress
from guardian_tui.text import safe

LOOK_SECONDS = 60.0
COMPARE_SECONDS = 3600.0
SHOW_SECONDS = 1.0
# what is no folder is counted; the exit code is tar's own, which takes no more after the archive's end, and whoever writes has still to end
_TAKE = """
cd -- "$1" || exit 73
exec 3>&1
code=$( {
    { tar -xpv --numeric-owner -f -; told=$?; [ $told != 0 ] || cat >/dev/null; echo $told >&4; } |
        awk '!/\\/$/ { n++ } END { print n + 0 }' >&3
} 4>&1 )
exit "$code"
"""


def taking(target: str) -> tuple[str, ...]:
    """The command that unpacks a tar archive from its input below a folder, and tells how many files there were."""
    return ("/bin/sh", "-c", _TAKE, "sh", target)


class Carrier:
    """Carries restores.

    Args:
        ways: of all hosts.
        sites: what runs where repositories are read.
        commands: run there and where it goes.
        clock: says when.
    """

    def __init__(self, ways: Ways, sites: Sites, commands: Commands, clock: Clock) -> None:
        self._ways = ways
        self._sites = sites
        self._commands = commands
        self._clock = clock

    async def restore(self, run: Run, show: Callable[[Run], None]) -> Judgement:
        """Carry it to its end; what came of it is noted in the run.

        Raises:
            ConnectFailed: a host can't be reached.
            GuardianError: a secret can't be had.
        """
        work, spec = run.work, run.repository.spec
        assert isinstance(work, Restore)  # noqa: S101  # the runner carries nothing else
        reader = self._ways.way(spec.host)
        if reader is None:
            return Judgement("network", f"{spec.host}, which reads the repository, is not watched.")
        run.reader = Reader(adapter(spec.engine), run.row.operation, (), "-")
        fault = await self._prepared(run.way, work)
        if fault is not None:
            return fault
        place = await self._sites.place(reader, spec)
        hidden = exports(await self._sites.secrets(spec.secrets))
        files = 0
        for part in work.carried:
            stage = carrying(place, work.snapshot, part)
            done = await self._carry(run, (reader, stage, hidden), part, show)
            self._note(run, done)
            if run.cancelled:
                return Judgement("cancelled", run.ending or PERSON)
            fault = _fault(run, reader, stage, done)
            if fault is not None:
                return fault
            files += int(done.out.strip()) if done.out.strip().isdigit() else 0
        if not files:
            return Judgement("failed", "Nothing was restored: the snapshot holds no such file.")
        return await self._compared(run, work, files, reader)

    async def _prepared(self, way: Way, work: Restore) -> Judgement | None:
        for stage, verdict in (
            (room_stage(work.target, work.bytes), "no_space"),
            (folder_stage(work.target, ""), "failed"),
        ):
            done = await self._commands.run(
                way.target, shlex.join(stage.argv), timeout=LOOK_SECONDS, limit_bytes=4096
            )
            if done.exit_status != 0:
                words = safe(done.err.strip(), 300) or f"{stage.name} ended with {done.exit_status}"
                return Judgement(
                    "no_space" if verdict == "no_space" else "failed",
                    words,
                    "Free space, or restore elsewhere.",
                )
        return None

    async def _carry(
        self, run: Run, source: tuple[Way, Stage, bytes], part: Part, show: Callable[[Run], None]
    ) -> HandedOver:
        reader, stage, hidden = source
        work = run.work
        assert isinstance(work, Restore)  # noqa: S101  # as above
        shown = self._clock.monotonic()

        def told(size: int) -> None:
            nonlocal shown
            before = run.row.progress.bytes_done if run.row.progress else 0
            now = self._clock.monotonic()
            seconds = self._clock.now() - (run.row.started_at or 0.0)
            rate = (before + size) / seconds if seconds > 0 else None
            left = max(0.0, work.bytes - before - size) / rate if rate else None
            run.row = replace(
                run.row, measured_at=self._clock.now(), progress=Progress(
                    stage=f"carried from {reader.name}", bytes_done=before + size, bytes_total=work.bytes or None,
                    bytes_per_second=rate, left_seconds=left, current=part.path,
                ),
            )  # fmt: skip
            if now - shown >= SHOW_SECONDS:
                shown = now
                show(run)

        return await self._commands.hand_over(
            Side(reader.target, with_secrets(stage.argv, stage.env), hidden),
            Side(run.way.target, shlex.join(taking(work.target)), part.head(), part.tail()),
            told=told,
            stop=run.to_end,
        )

    @staticmethod
    def _note(run: Run, done: HandedOver) -> None:
        assert run.reader is not None  # noqa: S101  # made at the beginning
        for text in (done.source_said, done.sink_said):
            run.reader.log.extend(safe(line, 500) for line in text.splitlines() if line.strip())

    async def _compared(self, run: Run, work: Restore, files: int, reader: Way) -> Judgement:
        assert run.reader is not None  # noqa: S101  # as above
        if work.known:
            stage = hashes.comparing([Hash(*one) for one in work.known], work.target)
            text = stage.source[-1].encode(errors="surrogateescape")
            done = await self._commands.run(
                run.way.target,
                shlex.join(stage.argv),
                timeout=COMPARE_SECONDS,
                limit_bytes=1 << 20,
                stdin=text,
            )
            run.reader.kept[hashes.COMPARE] = bytearray(done.out)
        run.reader.kept[COUNT] = bytearray(f"{files} {work.bytes}".encode())
        words = f"Restored {files} files, carried by the engine from {reader.name}."
        run.outcome = restored(work, Judgement("ok", words), run.reader, run.row.id)
        return run.outcome.judgement


def _fault(run: Run, reader: Way, stage: Stage, done: HandedOver) -> Judgement | None:
    """What went wrong with one part; what reads has the first word, unless what was given it took no more."""
    said = " ".join(safe(done.sink_said[-500:].strip(), 500).split())
    lost = Judgement(
        "network", f"The link was cut while files were carried from {reader.name} to {run.way.name}: {done.words or 'no exit code came'}.",
        "What came until then is there. Restore again.",
    )  # fmt: skip
    if not done.refused:
        if done.source is None:
            return lost
        if done.source not in stage.exit_codes:
            tail = "\n".join(safe(line, 500) for line in done.source_said.splitlines()[-20:])
            one = adapter(run.repository.spec.engine)
            judged = one.verdict("files", None, [StageEnd(stage.name, done.source, 0, tail)], ())
            if judged.verdict != "ok":
                return judged
            return Judgement("failed", f"{stage.name} on {reader.name} ended with {done.source}: {tail}")
    if done.sink is None:
        return lost
    if done.sink != 0 or done.refused:
        full = NO_SPACE.search(said)
        return Judgement(
            "no_space" if full else "failed", f"tar on {run.way.name} ended with {done.sink}: {said or 'it said nothing'}",
            "Free space, or restore elsewhere." if full else "What came until then is there: see why it could not be unpacked.",
        )  # fmt: skip
    return None if not done.words else lost
