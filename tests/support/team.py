"""A shared engine and its people: real Unix users, told apart by the kernel and by nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import pyotp

from guardian_tui.client import Client
from guardian_tui.config import Paths, paths_below
from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.protocol.access import (
    BeginEnrolment,
    ConfirmEnrolment,
    Enrolled,
    Enrolment,
    GrantSpec,
    Invite,
    Invited,
    SetUp,
)
from guardian_tui.protocol.base import Request, Response
from tests.support.engine import PASSWORD, QUIET, ROOT, WAIT_SECONDS

R = TypeVar("R", bound=Response)
NEEDS_ROOT = "makes Unix users: run the tests as root"


@dataclass(frozen=True)
class UnixUser:
    """An account of this machine."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass
class Person:
    """Somebody with an account at the engine, at work under a Unix user."""

    name: str
    user: UnixUser
    token: str = ""
    enrolled: Enrolled | None = field(default=None, repr=False)


@contextmanager
def unix_users(count: int) -> Iterator[tuple[str, list[UnixUser]]]:
    """A new group, and new users: all but the last are its members."""
    tag = secrets.token_hex(5)
    group, names = f"gg{tag}", [f"gu{tag}{number}" for number in range(count)]
    _run("groupadd", group)
    try:
        for name in names:
            member = () if name == names[-1] else ("--groups", group)
            _run("useradd", "--no-create-home", "--shell", "/bin/sh", *member, name)
        gid = grp.getgrnam(group).gr_gid
        found = [pwd.getpwnam(name) for name in names]
        yield (
            group,
            [
                UnixUser(one.pw_name, one.pw_uid, one.pw_gid, () if one is found[-1] else (gid,))
                for one in found
            ],
        )
    finally:
        for name in names:
            subprocess.run(["userdel", name], check=False, capture_output=True)
        subprocess.run(["groupdel", group], check=False, capture_output=True)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


@contextmanager
def acting_as(user: UnixUser) -> Iterator[None]:
    """This process as that user, for files, signals and sockets: what the kernel asks of a process of theirs it asks of us."""
    mine = os.getgroups()
    os.setgroups(user.groups)
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(mine)


def python_for_all() -> tuple[str, str]:
    """A Python that every user of this machine can run, and its ``PYTHONPATH``."""
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    search = f"{ROOT}:{libraries}"
    real = Path(sys.executable).resolve()
    if all(folder.stat().st_mode & 0o001 for folder in real.parents):
        return sys.executable, search
    version = f"python3.{sys.version_info.minor}"
    system = shutil.which(version, path="/usr/bin:/usr/local/bin")
    assert system, (
        f"{real} is out of other users' reach, and there is no other {version} (Debian: apt-get install {version})"
    )
    return system, search


class SharedEngine:
    """`guardian-tui engine run` of a Unix user of its own, over a folder that every user can go through."""

    def __init__(self, folder: Path, owner: UnixUser, group: str, settings: str = "", book: str = "") -> None:
        self.folder = folder
        self.owner = owner
        self.home = folder / "home"
        self.paths: Paths = paths_below(self.home)
        self.socket = folder / "run" / "engine.sock"
        for path in (self.home, self.paths.state, self.paths.config, self.socket.parent):
            path.mkdir(mode=0o700)
        books = self.paths.config / "runbooks"
        books.mkdir()
        (books / "book.md").write_text(book)
        settings += f'[runbooks]\nshipped = false\nfolder = "{books}"\n'
        head = f'mode = "team"\n[engine]\nsocket = "{self.socket}"\ngroup = "{group}"\n'
        self.paths.settings_file.write_text(head + settings + QUIET)
        self.code = FirstCode(self.paths.state).make()
        for path in (self.home, *self.home.rglob("*"), self.socket.parent):
            path.chmod(0o700 if path.is_dir() else 0o600)
            os.chown(path, owner.uid, owner.gid)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it watches hosts."""
        python, search = python_for_all()
        environment = {
            "GUARDIAN_HOME": str(self.home),
            "HOME": str(self.home),
            "PYTHONPATH": search,
            "PATH": os.environ["PATH"],
        }
        with (self.folder / "engine.out").open("ab") as out:
            self.process = subprocess.Popen(
                [python, "-m", "guardian_tui", "engine", "run"], cwd="/", env=environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, user=self.owner.uid, group=self.owner.gid, extra_groups=self.owner.groups,
            )  # fmt: skip
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._ready():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def _ready(self) -> bool:
        transport = httpx.HTTPTransport(uds=str(self.socket), verify=False)
        with contextlib.suppress(httpx.HTTPError), httpx.Client(transport=transport) as http:
            return http.get("http://engine/readyz").text.strip() not in ("", "starting")
        return False

    def said(self) -> str:
        """The end of what it wrote, for a test that fails."""
        texts = [self.folder / "engine.out", self.paths.state / "engine.log"]
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in texts if file.exists())

    def stop(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WAIT_SECONDS)

    def ask(
        self, user: UnixUser, name: str, kind: type[R], request: Request | None = None, token: str = ""
    ) -> R:
        """An order over the socket, by a connection of that user's."""

        async def go() -> R:
            client = Client(self.socket, token)
            try:
                return await client.call(name, kind, request)
            finally:
                await client.close()

        with acting_as(user):
            return asyncio.run(go())

    def call(self, person: Person, name: str, kind: type[R], request: Request | None = None) -> R:
        """An order of somebody who is logged in."""
        return self.ask(person.user, name, kind, request, person.token)

    def first(self, name: str, user: UnixUser) -> Person:
        """The first admin, by the code."""
        begun = self.ask(user, "setup.begin", Enrolment, SetUp(name=name, password=PASSWORD, code=self.code))
        return self._enrolled(Person(name, user), begun, "setup.confirm")

    def join(self, admin: Person, name: str, user: UnixUser, profile: str) -> Person:
        """A colleague: invited by an admin, enrolled under a user of their own."""
        order = Invite(name=name, grants=(GrantSpec(profile=profile),))
        invited = self.call(admin, "accounts.invite", Invited, order)
        begin = BeginEnrolment(name=name, enrolment_code=invited.enrolment_code, password=PASSWORD)
        return self._enrolled(
            Person(name, user), self.ask(user, "enrol.begin", Enrolment, begin), "enrol.confirm"
        )

    def _enrolled(self, person: Person, begun: Enrolment, route: str) -> Person:
        order = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
        person.enrolled = self.ask(person.user, route, Enrolled, order)
        person.token = person.enrolled.session.token
        return person


@contextmanager
def shared_engine(owner: UnixUser, group: str, settings: str = "", book: str = "") -> Iterator[SharedEngine]:
    """A shared engine that runs; ended, and its folder removed, at the end."""
    # not below pytest's own folder: that one is closed to all other users
    folder = Path(tempfile.mkdtemp(prefix="gteam", dir="/tmp"))
    folder.chmod(0o755)
    one = SharedEngine(folder, owner, group, settings, book)
    try:
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)
