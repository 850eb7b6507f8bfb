"""A real sshd, with a real shell, awk and df behind it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from guardian_tui.engine.fleet.host import Host
from guardian_tui.protocol.fleet import HostSpec
from tests.fleet.world import World
from tests.support.sshd import Sshd


async def watched(world: World, server: Sshd, name: str = "real", **spec: object) -> Host:
    """A real host, its key trusted."""
    key = world.folder / f"key-{name}"
    shutil.copy(server.client_key, key)
    key.chmod(0o600)
    await world.pin(server.address, server.port, server.host_key)
    more = {"user": server.user, "credential": f"key:{key}", "interval_seconds": 0.5, **spec}
    return await world.join(HostSpec(name=name, address=server.address, port=server.port, **more))  # type: ignore[arg-type]  # as HostSpec has them


async def test_a_real_host_is_up_goes_down_when_its_sshd_stops_and_comes_back(
    world: World, sshd: Callable[..., Sshd]
) -> None:
    server = sshd()
    host = await watched(world, server)
    await world.until(lambda: host.state == "up" and host.rooms and host.value("cpu_busy_ratio") is not None)
    assert host.problems == ()
    assert host.facts["kernel"] and host.facts["architecture"]
    assert any(room.mount == "/" for room in host.rooms)
    assert host.fingerprint == server.fingerprint
    server.stop()
    await world.until_state(host, "down")
    assert "refuses" in host.shown_why or "Lost" in host.shown_why
    server.start()
    await world.until_state(host, "up")


async def test_through_a_real_jump_host(world: World, sshd: Callable[..., Sshd]) -> None:
    first, second = sshd("127.0.0.2"), sshd("127.0.0.3")
    jump = await watched(world, first, "jump")
    await world.until_state(jump, "up")
    inner = await watched(world, second, "inner", jump=("jump",))
    await world.until_state(inner, "up")
    first.stop()
    await world.until_state(jump, "down")
    await world.until_state(inner, "unreachable")
    assert inner.behind == "jump"


async def test_a_dead_mount_under_a_real_df_is_contained(
    world: World, sshd: Callable[..., Sshd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardian_tui.engine.fleet.slow.SLOW_TIMEOUT_SECONDS", 2.0)
    server = sshd()
    programs = server.folder / "bin"
    programs.mkdir()
    programs.chmod(0o755)
    fake = programs / "df"
    fake.write_text("#!/bin/sh\nexec sleep 600\n")
    fake.chmod(0o755)
    server.stop()
    server._options["SetEnv"] = f"PATH={programs}:/usr/bin:/bin"
    server.start()
    host = await watched(world, server)
    await world.until(lambda: "df did not answer in 2 s" in " ".join(host.problems))
    await world.polls(host, 5)
    assert host.state == "up" and host.rooms == []
    assert host.value("memory_used_ratio") is not None


async def test_an_account_that_may_not_run_the_probe_is_unknown_not_down(
    world: World, sshd: Callable[..., Sshd]
) -> None:
    server = sshd(ForceCommand="echo This account is not available; exit 1")
    host = await watched(world, server)
    await world.until(lambda: host.reach == "unknown")
    assert host.state == "unknown" and "does not run the probe" in host.shown_why


async def test_a_host_without_sh_is_unknown_and_says_what_it_lacks(
    world: World, sshd: Callable[..., Sshd]
) -> None:
    server = sshd(SetEnv="PATH=/nowhere")
    host = await watched(world, server)
    await world.until(lambda: host.reach == "unknown")
    assert host.state == "unknown" and "finds no sh" in host.shown_why


async def test_a_host_without_awk_is_watched_by_its_shell_alone(
    world: World, sshd: Callable[..., Sshd]
) -> None:
    server = sshd()
    programs = server.folder / "bin"
    programs.mkdir()
    programs.chmod(0o755)
    for name in ("sh", "date", "df", "uname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    server.stop()
    server._options["SetEnv"] = f"PATH={programs}"
    server.start()
    host = await watched(world, server)
    await world.until(lambda: host.rooms and host.value("cpu_busy_ratio") is not None)
    assert host.state == "up" and host.problems == ()
    assert host.facts["architecture"] and host.value("clock_offset_seconds") is not None
