"""The CLI's session: `guardian-tui login` keeps a token for scripts, short-lived and bound to this uid."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from guardian_tui.attach import attach_paths, engine_listens, no_answer, shut_out
from guardian_tui.bulk_words import A_FEW
from guardian_tui.client import Client
from guardian_tui.config import Paths, find_paths
from guardian_tui.meeting import listener_of, mismatch
from guardian_tui.protocol.access import Login, Session, StepUp
from guardian_tui.protocol.base import Done, Request, Response
from guardian_tui.protocol.errors import (
    EngineUnreachable,
    GuardianError,
    InternalError,
    InvalidRequest,
    NotAuthenticated,
    StepUpRequired,
)
from guardian_tui.protocol.system import Hello
from guardian_tui.text import safe

T = TypeVar("T")
R = TypeVar("R", bound=Response)

EXIT_REFUSED = 1
EXIT_NO_ENGINE = 3
EXIT_NO_LOGIN = 4


def save_token(paths: Paths, token: str) -> None:
    """Keep the CLI's token: a 0600 file, replaced atomically."""
    paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = paths.cli_token.with_suffix(".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(token)
    new.replace(paths.cli_token)


def read_token(path: Path) -> str:
    """The CLI's token; empty when there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


class _Asking(Client):
    """A client that asks for a fresh code where the engine wants one, and goes on."""

    async def call(self, name: str, kind: type[R], request: Request | None = None) -> R:
        """As the client's; after a fresh code, where one is wanted."""
        try:
            return await super().call(name, kind, request)
        except StepUpRequired:
            code = ask_secret("Code from your authenticator")
            session = await super().call("session.step_up", Session, StepUp(code=code))
            if session.token:
                self.token = session.token
                save_token(find_paths(), session.token)
            return await super().call(name, kind, request)


def ask_secret(words: str, *, twice: bool = False, hidden: bool = True) -> str:
    """What a person types unseen, or a script writes as a line to standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(words, hide_input=hidden, confirmation_prompt=twice, err=True))
    line = sys.stdin.readline()
    if not line:
        raise click.UsageError(
            f"{words}: nothing stands on standard input. Write it there, as a line of its own."
        )
    return line.rstrip("\r\n")


def with_client(work: Callable[[Client], Awaitable[T]], *, logged_in: bool = True) -> T:
    """Run ``work`` with a client of the engine that listens; errors become words and an exit code.

    Exit codes: 1 refused or failed, 3 no engine listens, 4 not logged in.
    """
    paths = attach_paths()
    token = read_token(paths.cli_token) if logged_in else ""
    if not engine_listens(paths.socket):
        words = f"No engine listens. Start one with `guardian-tui engine start`. {shut_out()}".strip()
        raise_words(no_answer(paths.shared) if paths.shared else EngineUnreachable(words), EXIT_NO_ENGINE)
    if logged_in and not token:
        raise_words(NotAuthenticated("Log in with `guardian-tui login`."), EXIT_NO_LOGIN)

    async def go() -> T:
        client = _Asking(paths.socket, token)
        try:
            return await work(client)
        finally:
            await client.close()

    try:
        return asyncio.run(go())
    except NotAuthenticated as error:
        raise_words(error, EXIT_NO_LOGIN)
    except EngineUnreachable as error:
        raise_words(error, EXIT_NO_ENGINE)
    except GuardianError as error:
        raise_words(error, EXIT_REFUSED)


def raise_words(error: GuardianError, code: int) -> NoReturn:
    """Say an error on standard error and end with an exit code."""
    detail = safe(error.detail, 2000)
    if detail.partition(" ")[0] in ("the", "a", "an", "this", "no"):
        # not what begins with a host's name
        detail = detail[0].upper() + detail[1:]
    if error.code == InternalError.code and not attach_paths().shared:
        detail += f" It is {find_paths().state / 'engine.log'}."
    click.echo(f"{error.title}. {detail}".rstrip(), err=True)
    raise SystemExit(code)


def ask_for_count(count: int, words: str) -> None:
    """Say what many things an order acts on, and have their number typed in; for a few a yes is enough.

    Raises:
        InvalidRequest: it was not.
    """
    click.echo(words, err=True)
    typed = count > A_FEW
    agreed = (
        click.prompt(f"Type {count} to go on", err=True).strip() == str(count)
        if typed
        else click.confirm("Go on?", err=True)
    )
    if not agreed:
        raise InvalidRequest("Nothing was changed.")


async def _meet(client: Client) -> None:
    if words := foreign_words(attach_paths(), await client.hello()):
        raise EngineUnreachable(words)


def foreign_words(paths: Paths, hello: Hello) -> str:
    """What is to be said of an engine of another protocol version, and what to do; empty if it speaks ours."""
    foreign = mismatch(hello, listener_of(paths.socket))
    if foreign is None:
        return ""
    how = " `guardian-tui engine stop`, then `guardian-tui engine start`." if foreign.ours else ""
    return safe(foreign.words, 1000) + how


@click.command("login")
@click.option("--name", help="Your account's name; asked for when not given.")
def login_command(name: str | None) -> None:
    """Log in for the headless commands; asks for password and code.

    A script writes them to standard input, a line each.
    """
    # before anything is typed: whether there is an engine, and whether it speaks as we do
    with_client(_meet, logged_in=False)
    name = name or ask_secret("Name", hidden=False)
    password = ask_secret("Password")
    code = ask_secret("Code", hidden=False)

    async def work(client: Client) -> Session:
        order = Login(
            name=name,
            password=password,
            code=code,
            kind="cli",
            agent_socket=os.environ.get("SSH_AUTH_SOCK", ""),
        )
        return await client.call("login", Session, order)

    session = with_client(work, logged_in=False)
    save_token(find_paths(), session.token)
    minutes = round((session.expires_at - session.created_at) / 60)
    click.echo(f"Logged in as {session.account} for {minutes} min.")


@click.command("logout")
def logout_command() -> None:
    """End the CLI's session and forget its token."""

    async def work(client: Client) -> Done:
        return await client.call("logout", Done)

    try:
        with_client(work)
    finally:
        find_paths().cli_token.unlink(missing_ok=True)
    click.echo("Logged out.")


@click.command("recover")
@click.option("--name", prompt=True, help="The account whose password is lost.")
def recover_command(name: str) -> None:
    """Set a new password with the printed recovery key, while the engine is stopped."""
    from guardian_tui.engine.recovery import recover  # offline: works on the store itself

    paths = find_paths()
    if engine_listens(paths.socket):
        raise click.UsageError("Stop the engine first: `guardian-tui engine stop`.")
    key = ask_secret("Recovery key")
    password = ask_secret("New password", twice=True)
    try:
        asyncio.run(recover(paths, name, key, password))
    except GuardianError as error:
        raise_words(error, EXIT_REFUSED)
    click.echo("The password is changed. Log in with it and a code from your authenticator.")
