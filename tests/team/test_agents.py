"""Agents that people lend: taken by a personal engine, never by a shared one."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.facts import AgentOffered
from guardian_tui.engine.remote.credentials import Credentials


@pytest.mark.parametrize("lent", [True, False])
def test_a_shared_engine_uses_nobody_s_agent(
    lent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    vault: Any = None  # an agent needs none
    bus = Bus()
    credentials = Credentials(vault, bus, tmp_path, lent=lent)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        bus.publish(AgentOffered(str(tmp_path / "agent"), os.getuid()))
    assert credentials._agents == ([str(tmp_path / "agent")] if lent else [])
    assert ("nobody's ssh-agent but its own" in credentials._agent_words()) is not lent
