"""Runbooks without a screen: run one and be led through it, or have it go on by itself; follow, read and play runs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from guardian_tui.cli.complete import known_names
from guardian_tui.cli.session import EXIT_REFUSED, raise_words, with_client
from guardian_tui.client import Client
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import GuardianError, InvalidRequest
from guardian_tui.text import json_safe, safe

LOOK_SECONDS = 0.3
AGAIN_SECONDS = 10.0
"""Others are told anew that somebody looks on."""
LOOKS_ON_SECONDS = 300.0
"""Unless it is told anew, it holds for so long."""
WORDS = 2000
LONGEST_COMMAND = 16_384


def show_plan(plan: wire.RunbookPlan) -> list[str]:
    """A plan as a person reads it, harmless: names of hosts, values and documents are of the outside."""
    where = ", ".join(plan.hosts) + (
        f" and {plan.hosts_count - len(plan.hosts)} more" if plan.hosts_count > len(plan.hosts) else ""
    )
    lines = [f"{plan.title}, version {plan.version}" + (f", on {where}" if where else ""), plan.blast]
    lines += [f"! {words}" for words in (*plan.problems, *plan.warnings)]
    lines += [f"? {one.name}: {one.prompt or one.type}" for one in plan.missing]
    for one in plan.steps:
        lines += show_step(one)
    if plan.changed:
        lines += ["", "Since its last run the document has changed:", *plan.changed]
    return [safe(line, LONGEST_COMMAND) for line in lines]


def show_step(one: wire.PlannedStep) -> list[str]:
    """A planned step as a person reads it, harmless."""
    step = one.step
    marks = [
        f"as {step.user}" if step.user else "",
        f"on {one.hosts} hosts" if one.hosts > 1 else "",
        "DANGEROUS" if step.dangerous else "",
    ]
    lines = [
        "",
        f"{step.number}. {step.title or step.name} [{step.kind}] {', '.join(filter(None, marks))}".rstrip(),
    ]
    lines += [f"   {line}" for line in one.words.splitlines()]
    shown = None
    for command in one.commands:
        if command.command != shown:
            shown = command.command
            lines += _shell_lines(shown)
        if len(one.commands) > 1:
            more = f" and {command.count - len(command.hosts)} more" * (command.count > len(command.hosts))
            lines.append(f"     on {', '.join(command.hosts)}{more}")
        lines += [f"     {name}={value}" for name, value in command.environment.items()]
    if step.dangerous:
        lines.append(f"   {step.dangerous}")
    if one.undo:
        lines += ["   taken back by:", *_shell_lines(one.undo)]
    return [safe(line, LONGEST_COMMAND) for line in lines]


def _shell_lines(command: str) -> list[str]:
    """A command line by line, as it stands."""
    lines = safe(command, LONGEST_COMMAND, newlines=True).splitlines()
    return [f"   {'>' if place else '$'} {line}" for place, line in enumerate(lines)]


class Following:
    """Follows one run, and prints what is new of it."""

    def __init__(self, client: Client, run: str, *, quiet: bool = False) -> None:
        self._client = client
        self._run = run
        self._quiet = quiet
        self._after = 0
        self._people = ""
        self._said_at = 0.0

    async def look(self) -> wire.RunbookRun:
        """Print what was written since the last look, and who leads it and looks on; answers how the run is."""
        await self._look_on()
        detail = await self._client.call(
            "runbooks.follow", wire.RunbookRunDetail, wire.RunbookRunRef(run=self._run)
        )
        self._print_people(detail)
        more = True
        while more:
            query = wire.RunbookOutputQuery(run=self._run, after=self._after)
            found = await self._client.call("runbooks.output", wire.RunbookOutput, query)
            more = found.more
            for piece in found.pieces:
                self._after = piece.number
                self._print(piece, detail.run)
        return detail.run

    async def leave(self) -> None:
        """Nobody looks on here any more."""
        with contextlib.suppress(GuardianError):
            order = wire.WatchRun(run=self._run, console=self._client.console, leave=True)
            await self._client.call("runbooks.watch", wire.RunbookWatchers, order)

    async def _look_on(self) -> None:
        """Have others see that somebody looks on here."""
        now = time.monotonic()
        if self._said_at and now - self._said_at < AGAIN_SECONDS:
            return
        self._said_at = now
        # of a run that has ended nobody is told
        with contextlib.suppress(GuardianError):
            # a prompt keeps us from saying so again
            order = wire.WatchRun(run=self._run, console=self._client.console, seconds=LOOKS_ON_SECONDS)
            await self._client.call("runbooks.watch", wire.RunbookWatchers, order)

    def _print_people(self, detail: wire.RunbookRunDetail) -> None:
        if detail.run.state == "ended" or self._quiet:
            return
        names = [
            f"{safe(one.name)}{f' ({one.consoles} consoles)' if one.consoles > 1 else ''}"
            for one in detail.watchers
        ]
        people = (
            f"{safe(detail.run.leader)} leads; {', '.join(names)} look{'s' if len(names) == 1 else ''} on"
        )
        if people != self._people:
            self._people = people
            click.echo(people, err=True)

    def _print(self, piece: wire.RunbookPiece, run: wire.RunbookRun) -> None:
        if self._quiet:
            return
        head = f"{safe(piece.host)}: " if run.hosts_count > 1 else ""
        text = safe(piece.text, len(piece.text) + 1, newlines=True)
        for line in text.splitlines():
            click.echo(head + line, err=piece.stream == "err")

    async def until_asked(self) -> wire.RunbookRun:
        """Follow until a person is asked, or it has ended."""
        while True:
            run = await self.look()
            if run.state in ("asking", "deciding", "paused") and not self._goes_on(run):
                return run
            if run.state == "ended" and run.transcript:
                # its last output is on disk by now
                return await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    @staticmethod
    def _goes_on(run: wire.RunbookRun) -> bool:
        """Whether it only waits for a moment between two steps."""
        fresh = max((mark.at or 0.0 for mark in run.marks if mark.step == run.step), default=0.0)
        return (
            run.auto
            and run.state == "asking"
            and not (run.current and run.current.person)
            and time.time() - fresh < 3
        )


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise click.UsageError(f"{word!r} is no NAME=VALUE.")
        found[name] = value
    return found


def asks_a_person() -> bool:
    """Whether somebody sits at the other end."""
    return sys.stdin.isatty()


@click.command("run")
@click.argument("runbook", shell_complete=known_names("runbook"))
@click.option(
    "--host", "hosts", multiple=True, shell_complete=known_names("host"), help="Where; may be given again."
)
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A value; may be given again.")
@click.option("--alert", default="", help="Id of the alert that it answers.")
@click.option("--reason", default="", help="Why; stands in the transcript.")
@click.option("--yes", is_flag=True, help="Go on by itself; refused where a step needs a person.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the run as it ended or asks.")
def run_command(
    runbook: str,
    hosts: tuple[str, ...],
    values: tuple[str, ...],
    alert: str,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Run a runbook: be led through it, or with --yes have it go on by itself.  Ends with 1 unless it ends well."""
    order = wire.RunbookOrder(runbook=runbook, hosts=hosts, values=_pairs(values), alert=alert)
    led = not yes and asks_a_person()

    async def work(client: Client) -> wire.RunbookRun:
        plan = await client.call("runbooks.plan", wire.RunbookPlan, order)
        if plan.problems or plan.missing:
            words = [*plan.problems, *(f"It needs a value: --set {one.name}=…" for one in plan.missing)]
            raise InvalidRequest(" ".join(words))
        if yes:
            for one in plan.steps:
                if one.person:
                    raise InvalidRequest(
                        f"The step {one.step.name} needs a person: {one.person} Run it without --yes."
                    )
        if not as_json:
            click.echo("\n".join(show_plan(plan)), err=True)
        begin = wire.StartRunbook(
            **msgspec.structs.asdict(order), digest=plan.digest, auto=yes, reason=reason
        )
        run = await client.call("runbooks.run", wire.RunbookRun, begin)
        if not as_json:
            click.echo(f"\nRun {run.id}", err=True)
        following = Following(client, run.id, quiet=as_json)
        try:
            run = await following.until_asked()
            while led and run.state != "ended":
                await _lead(client, run)
                run = await following.until_asked()
        finally:
            await following.leave()
        return run

    _conclude(with_client(work), as_json)


async def _lead(client: Client, run: wire.RunbookRun) -> None:
    """Show what is asked, and give the person's answer."""
    if run.current is not None:
        click.echo("\n".join([*show_step(run.current), ""]), err=True)
    if run.words:
        click.echo(safe(run.words, WORDS), err=True)
    act = click.prompt(
        "What now", type=click.Choice(run.acts), default=run.acts[0] if run.acts else None, err=True
    )
    if act == "stop":
        await client.call("runbooks.stop", wire.RunbookRun, wire.StopRunbook(run=run.id))
        return
    fields: dict[str, Any] = {
        "typed": "",
        "value": "",
        "choice": "",
        "reason": "",
    }  # Any: fields of the order
    if act in ("go", "undo") and run.phrase:
        fields["typed"] = click.prompt(f"Type {safe(run.phrase, WORDS)} to go on", err=True)
    elif act == "go" and run.asked == "input" and run.current is not None:
        variable = run.current.step.variable
        secret = variable is not None and variable.secret
        default = variable.default if variable is not None else None
        asked = safe(variable.prompt, WORDS) if variable is not None else "Value"
        if default is not None:
            asked += f" [{safe(default, WORDS)}]"
        fields["value"] = click.prompt(
            asked, default=default, show_default=False, hide_input=secret, err=True
        )
    elif act == "go" and run.asked == "choose" and run.current is not None:
        answers = [option.answer for option in run.current.step.options]
        fields["choice"] = click.prompt("Choose", type=click.Choice(answers), err=True)
    elif act in ("skip", "accept"):
        fields["reason"] = click.prompt("Why", err=True)
    order = wire.AnswerRunbook(run=run.id, version=run.version, act=act, **fields)
    await client.call("runbooks.answer", wire.RunbookRun, order)


def _conclude(run: wire.RunbookRun, as_json: bool) -> None:
    if as_json:
        click.echo(json_safe(msgspec.json.encode(run)))
    else:
        said = f"{run.verdict.replace('_', ' ') or run.state}: {safe(run.words, WORDS)}".rstrip(": ")
        click.echo(
            f"{safe(run.title)} {said}" + (f"\n{safe(run.proof_words, WORDS)}" if run.proof else ""), err=True
        )
    if run.verdict != "done":
        raise SystemExit(EXIT_REFUSED)


@click.command("follow")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the run in full, as it is now.")
def follow_command(run: str, as_json: bool) -> None:
    """Follow a run until it asks a person or has ended."""
    if as_json:

        async def look(client: Client) -> wire.RunbookRunDetail:
            return await client.call("runbooks.follow", wire.RunbookRunDetail, wire.RunbookRunRef(run=run))

        click.echo(json_safe(msgspec.json.encode(with_client(look))))
        return

    async def work(client: Client) -> wire.RunbookRun:
        following = Following(client, run)
        try:
            return await following.until_asked()
        finally:
            await following.leave()

    _conclude(with_client(work), as_json=False)


@click.command("transcript")
@click.argument("run")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "asciicast"]),
    default="markdown",
    help="A document, or a recording to play.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: text and hash.")
def transcript_command(run: str, form: str, as_json: bool) -> None:
    """Print the transcript of a run: Markdown, or asciicast v2."""
    transcript = with_client(lambda client: _transcript(client, run, form))
    if as_json:
        click.echo(json_safe(msgspec.json.encode(transcript)))
    else:
        click.echo(transcript.text, nl=False)


async def _transcript(client: Client, run: str, form: str) -> wire.Transcript:
    order = wire.TranscriptQuery(run=run, format=form)  # type: ignore[arg-type]  # one of its words, by the option
    return await client.call("runbooks.transcript", wire.Transcript, order)


@click.command("play")
@click.argument("run")
@click.option("--speed", default=1.0, type=click.FloatRange(0.1, 100.0), help="So many times faster.")
def play_command(run: str, speed: float) -> None:
    """Play a run back in the terminal."""
    transcript = with_client(lambda client: _transcript(client, run, "asciicast"))
    lines = transcript.text.splitlines()
    before = 0.0
    try:
        for line in lines[1:]:
            at, _, text = msgspec.json.decode(line, type=tuple[float, str, str])
            time.sleep(max(0.0, at - before) / speed)
            before = at
            click.echo(text, nl=False)
    except msgspec.DecodeError as error:
        raise_words(InvalidRequest(f"The recording can't be read: {error}"), EXIT_REFUSED)
    except KeyboardInterrupt:
        click.echo("\x1b[0m")
