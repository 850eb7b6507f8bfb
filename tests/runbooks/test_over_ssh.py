"""Commands on a host behind a real sshd: those that misbehave, and a link that does."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from guardian_tui.engine.remote import followed
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.runbooks import carrying, output
from guardian_tui.protocol import runbooks as wire
from tests.fleet.conftest import *  # noqa: F403  # its fixtures: a fleet with a real store and real SSH
from tests.fleet.test_sshd import watched
from tests.fleet.world import World
from tests.runbooks.lab import Lab, lab
from tests.support.sshd import Sshd, SshUser


@pytest.fixture
async def far(world: World, sshd: Callable[..., Sshd], tmp_path: Path) -> AsyncIterator[tuple[Lab, Sshd]]:
    """Runs whose only host is behind a real sshd."""
    server = sshd()
    folder = tmp_path / "lab"
    folder.mkdir()
    async with lab(folder) as one:
        await watched(world, server)
        one.commands, one.hosts = Commands(world.remote), world.fleet.inventory
        await one.runbooks.stop()
        one.detached = ""
        one.begin()
        await one.runbooks.start()
        yield one, server


async def run(one: Lab, command: str, more: str = "") -> wire.RunbookRun:
    """One step on the host; as a person would see it when it has ended."""
    block = "\n".join(f"  {line}" for line in command.splitlines())
    row = await one.run(f"```step it\nrun: |\n{block}\n{more}```\n", ("real",))
    return await one.answer(row)


async def test_what_commands_do_is_told_apart_from_what_the_link_does(
    far: tuple[Lab, Sshd], unix_user: SshUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = far
    monkeypatch.setattr(followed, "LINGER_SECONDS", 0.3)
    monkeypatch.setattr(followed, "GRACE_SECONDS", 1.0)

    well = await run(one, "id -un; cat; echo err >&2; tty", "timeout: 20s\nexpect: exit == 1\n")
    assert well.verdict == "done", well.words
    assert unix_user.name in await one.output(well)
    assert "not a tty" in await one.output(well)

    own = await run(one, "exit 255")
    assert (own.state, own.words) == ("deciding", "exit status 255")

    asks = await run(one, 'read answer; echo got $answer; test -n "$answer"')
    assert (asks.state, asks.words) == ("deciding", "exit status 1: got")

    waits = await run(one, "sleep 300", "timeout: 1s\n")
    assert "did not end in 1 s" in waits.words
    assert waits.state == "deciding"

    killed = await run(one, "kill -KILL $$")
    assert killed.words == "It was ended by SIGKILL."

    left = await run(one, "sleep 30 & echo left")
    assert left.verdict == "done"
    assert left.marks[0].words == "It left something running that holds its output open."

    nobody = await run(one, "id -un", "as: nobody-there\n")
    assert nobody.state == "deciding"

    hostile = await run(one, r"printf '\033]52;c;aGk=\007\033[2J\302\233[31m[/]x\342\200\256'")
    detail = await one.detail(hostile.id)
    text = (await one.transcript(hostile)).text + (await one.transcript(hostile, "asciicast")).text
    assert detail.run.verdict == "done"
    assert "\x1b]52" not in text
    assert "\\u001b]52" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text
    assert "␛]52;c;aGk=␇" in text


async def test_what_prints_for_ever_is_bounded_and_ended(far: tuple[Lab, Sshd]) -> None:
    one, _ = far
    done = await run(one, "echo begins; yes | tr -d '\\n'", "timeout: 2s\n")
    assert "did not end in 2 s" in done.words
    (result,) = (await one.detail(done.id)).results
    assert result.clipped
    assert result.bytes > output.KEPT_BYTES
    kept = 0
    after = 0
    text = ""
    while True:
        found: wire.RunbookOutput = await one.gate.call(
            "runbooks.output", wire.RunbookOutputQuery(run=done.id, after=after)
        )
        kept += sum(len(piece.text) for piece in found.pieces)
        text += "".join(piece.text for piece in found.pieces)
        if not found.more:
            break
        after = found.pieces[-1].number
    assert output.KEPT_BYTES < kept < output.KEPT_BYTES + 2 * output.END_BYTES + 100
    assert text.startswith("begins\n")
    assert "characters were left out here]" in text


async def test_output_that_is_held_back_is_whole_when_its_command_has_ended(
    far: tuple[Lab, Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = far
    monkeypatch.setattr(followed, "LINGER_SECONDS", 0.2)
    one.runbooks.house.budget = output.Budget(time.monotonic, 400_000)
    done = await run(one, "head -c 600000 /dev/zero | tr '\\0' 'x'; echo")
    assert (done.verdict, done.marks[0].words) == ("done", "")
    assert len(await one.output(done, limit_bytes=1 << 20)) == 600_001


async def test_a_link_that_is_cut_in_mid_command_leaves_it_unknown(
    far: tuple[Lab, Sshd], unix_user: SshUser
) -> None:
    one, server = far
    row = await one.run("```step it\nrun: echo begun; sleep 300\n```\n", ("real",))
    await one.gate.call("runbooks.answer", wire.AnswerRunbook(run=row.id, version=row.version))

    async def begun() -> bool:
        detail = await one.detail(row.id)
        return detail.progress is not None and "begun" in detail.progress.tail

    await one.until(begun, "it writes")
    server.stop()
    row = await one.settled(row)
    assert row.state == "deciding"
    assert row.marks[0].state == "unknown"
    assert "nobody knows how it ended there" in row.words
    row = await one.answer(row, "retry")
    row = await one.answer(row)
    assert row.marks[0].state == "failed"
    assert "Nothing was run." in row.words
    server.start()


async def test_a_detached_command_outlives_the_link(
    far: tuple[Lab, Sshd], unix_user: SshUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "UNHEARD_SECONDS", 0.3)
    one, _ = far
    flag = f"{unix_user.home}/go-{secrets.token_hex(4)}"
    row = await one.run(
        f"```step it\nrun: echo begun; while ! test -e {flag}; do sleep 0.1; done; echo ended\ndetach: true\n```\n",
        ("real",),
    )
    await one.gate.call("runbooks.answer", wire.AnswerRunbook(run=row.id, version=row.version))

    async def begun() -> bool:
        detail = await one.detail(row.id)
        return detail.progress is not None and "begun" in detail.progress.tail

    await one.until(begun, "it writes")
    for connection in list(one.commands._remote._open.values()):
        connection.close()
    Path(flag).touch()
    row = await one.settled(row)
    assert row.verdict == "done", row.words
    assert (await one.output(row)).split() == ["begun", "ended"]


async def test_a_detached_command_is_ended_on_its_host(far: tuple[Lab, Sshd]) -> None:
    one, _ = far
    row = await one.run("```step it\nrun: echo begun; sleep 300\ndetach: true\n```\n", ("real",))
    await one.gate.call("runbooks.answer", wire.AnswerRunbook(run=row.id, version=row.version))

    async def begun() -> bool:
        detail = await one.detail(row.id)
        return detail.progress is not None and "begun" in detail.progress.tail

    await one.until(begun, "it writes")
    await one.gate.call("runbooks.stop", wire.StopRunbook(run=row.id))
    row = await one.settled(row, "ended")
    assert row.verdict == "stopped"
    assert row.marks[0].words == "It was ended by a person."
