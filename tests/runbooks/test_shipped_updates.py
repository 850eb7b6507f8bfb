"""The runbook of security updates on real apt and dpkg: an archive, a list of packages and settings of their own, which these processes alone see."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from guardian_tui.engine.runbooks.documents import Document
from guardian_tui.engine.runbooks.documents.library import Library
from tests.support.private import Follower, must_mount, within

PLACES = ("/etc/apt", "/var/lib/apt", "/var/lib/dpkg", "/var/cache/apt", "/var/log/apt", "/opt")
SETTINGS = "/opt/guardian-lamp/lamp.conf"


@pytest.fixture(scope="module", autouse=True)
def mounts() -> None:
    """These processes may see packages of their own."""
    must_mount()


@dataclass
class Machine:
    """A host's packages, and an archive that it is updated from."""

    folder: Path
    archive: Path
    mounts: dict[str, Path]

    def offer(self, version: str, *, after: str = "true") -> Path:
        """A version of the package in the archive; ``after``: what it does when it is set up."""
        root = self.folder / f"lamp-{version}"
        (root / "DEBIAN").mkdir(parents=True)
        (root / SETTINGS.lstrip("/")).parent.mkdir(parents=True)
        (root / SETTINGS.lstrip("/")).write_text(f"brightness of {version}\n")
        (root / "opt/guardian-lamp/lamp").write_text(version)
        control = f"Package: guardian-lamp\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a lamp\n"
        (root / "DEBIAN/control").write_text(control)
        (root / "DEBIAN/conffiles").write_text(f"{SETTINGS}\n")
        (root / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{after}\n")
        (root / "DEBIAN/postinst").chmod(0o755)
        package = self.archive / f"guardian-lamp_{version}.deb"
        built = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(root), str(package)]
        subprocess.run(built, check=True, capture_output=True)
        told = subprocess.run(["sha256sum", str(package)], check=True, capture_output=True, text=True)
        entry = f"{control}Filename: ./{package.name}\nSize: {package.stat().st_size}\nSHA256: {told.stdout.split()[0]}\n\n"
        with (self.archive / "Packages").open("a") as packages:
            packages.write(entry)
        return package

    def run(self, command: str) -> str:
        """What a command says that sees this machine's packages."""
        done = subprocess.run(within(self.mounts, command), capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One package is installed, whose settings somebody has changed by hand."""
    mounts = {place: tmp_path / place.strip("/").replace("/", "-") for place in PLACES}
    for own in mounts.values():
        own.mkdir()
    archive = tmp_path / "archive"
    archive.mkdir()
    (mounts["/etc/apt"] / "apt.conf").write_text('APT::Sandbox::User "root";\n')
    (mounts["/etc/apt"] / "sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n")
    for name in ("info", "updates", "triggers", "parts"):
        (mounts["/var/lib/dpkg"] / name).mkdir()
    for name in ("status", "available"):
        (mounts["/var/lib/dpkg"] / name).touch()
    one = Machine(tmp_path, archive, mounts)
    first = one.offer("1.0")
    one.run(f"dpkg --install {first} && echo by hand > {SETTINGS}")
    yield one


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
