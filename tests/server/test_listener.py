"""Where an engine listens, and for whom: what would let in too many, or nobody, is refused in words."""

from __future__ import annotations

import asyncio
import grp
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guardian_tui.config import EngineSettings, Settings
from guardian_tui.engine import listener
from guardian_tui.engine.listener import Place, bind_socket, place_of
from guardian_tui.protocol.errors import Conflict, InvalidRequest, StoreUnavailable

PRIVATE = Path("/srv/ada/state/run/engine.sock")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can go through."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_team_s_engine_has_a_group_and_a_personal_one_has_none() -> None:
    assert place_of(Settings(), PRIVATE) == Place(PRIVATE)
    shared = EngineSettings(socket="/run/guardian/engine.sock", group="ops")
    assert place_of(Settings(mode="team", engine=shared), PRIVATE) == Place(
        Path("/run/guardian/engine.sock"), "ops"
    )
    # a person's own settings say where their console attaches, not where their engine listens
    assert (
        place_of(Settings(engine=EngineSettings(socket="/run/guardian/engine.sock")), PRIVATE).path == PRIVATE
    )
    for wrong in (Settings(mode="team"), Settings(engine=shared)):
        with pytest.raises(InvalidRequest, match="group"):
            place_of(wrong, PRIVATE)


def test_a_group_that_is_not_there_is_named(open_folder: Path) -> None:
    with pytest.raises(InvalidRequest, match="no-such-group"):
        bind_socket(Place(open_folder / "run" / "s", "no-such-group"))


def test_a_socket_that_the_group_could_not_reach_is_refused(open_folder: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    place = Place(open_folder / "closed" / "run" / "s", group)
    with bind_socket(Place(open_folder / "run" / "s", group)) as bound:
        path = Path(bound.getsockname())
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o660, 0o750)
        with pytest.raises(Conflict):
            bind_socket(Place(path, group))
    place.path.parent.parent.mkdir(mode=0o700)
    with pytest.raises(StoreUnavailable, match="lets nobody else through"):
        bind_socket(place)


async def test_one_account_does_not_take_all_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hello(request: Request) -> Response:
        return Response(b"well")

    async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
        reader, writer = streams
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n")
            return await reader.read(12)
        except ConnectionError:
            return b""

    monkeypatch.setattr(listener, "MOST_OF_A_UID", 3)
    place = Place(tmp_path / "s")
    one = listener.Listener(Starlette(routes=[Route("/", hello)]))
    serving = asyncio.create_task(one.serve([bind_socket(place)]))
    async with asyncio.timeout(60):
        held = [await asyncio.open_unix_connection(str(place.path)) for _ in range(3)]
        assert [await ask(streams) for streams in held] == [b"HTTP/1.1 200"] * 3
        assert await ask(await asyncio.open_unix_connection(str(place.path))) == b""
        for _, writer in held:
            writer.close()
        # what is closed counts no more
        while await ask(await asyncio.open_unix_connection(str(place.path))) != b"HTTP/1.1 200":
            await asyncio.sleep(0.02)
        one.stop()
        await serving
