"""The runbook of security updates on real apt and dpkg: an archive, a list of packages and settings of their own, which these processes alone see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guardian_tui.engine.runbooks.documents import Document
from guardian_tui.engine.runbooks.documents.library import Library
from tests.runbooks.packages import SETTINGS, Machine, host
from tests.support.private import Follower, must_mount


@pytest.fixture(scope="module", autouse=True)
def mounts() -> None:
    """These processes may see packages of their own."""
    must_mount()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One package is installed, whose settings somebody has changed by hand."""
    return host(tmp_path)


@pytest.fixture(scope="module")
def document() -> Document:
    """The runbook."""
    library = Library(None)
    library.refresh()
    return library.get("security-updates")


def test_what_waits_is_shown_first_and_installed_with_the_settings_of_the_house(
    machine: Machine, document: Document
) -> None:
    follow = Follower(document, {}, machine.mounts)
    assert follow.step("lists"), follow.said
    assert follow.step("preview") and "Nothing to install." in follow.said, follow.said
    machine.offer("2.0")
    assert follow.step("lists"), follow.said
    assert follow.step("preview") and "Inst guardian-lamp [1.0] (2.0" in follow.said, follow.said
    assert "1.0" in machine.run("cat /opt/guardian-lamp/lamp"), "a look installs nothing"
    assert follow.step("sound"), follow.said
    assert follow.step("install_all"), follow.said
    assert machine.run(f"cat /opt/guardian-lamp/lamp {SETTINGS}") == "2.0by hand\n"
    assert follow.step("preview") and "Nothing to install." in follow.said, follow.said


def test_an_archive_that_can_t_be_reached_and_a_package_that_breaks_are_no_success(
    machine: Machine, document: Document, tmp_path: Path
) -> None:
    follow = Follower(document, {}, machine.mounts)
    machine.offer("2.0", after="echo the lamp does not light; exit 1")
    assert follow.step("lists"), follow.said
    assert not follow.step("install_all")
    assert "the lamp does not light" in follow.said
    # the hosts that follow are not begun then, and what went wrong is shown
    assert follow.step("broken"), follow.said
    assert "the lamp does not light" in follow.said
    assert "guardian-lamp" in follow.said
    assert not follow.step("sound"), "what is half installed is seen before the next try"
    os.rename(machine.archive, tmp_path / "gone")
    assert not follow.step("lists")
    assert document.step("install_all").on_fail == document.step("install").on_fail == "broken"
