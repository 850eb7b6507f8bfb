"""A host's packages by real apt and dpkg: an archive, a list of packages and settings of their own, which its processes alone see."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.private import within

PLACES = (
    "/etc/apt",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/cache/apt",
    "/var/log/apt",
    "/var/backups",
    "/opt",
)
SETTINGS = "/opt/guardian-lamp/lamp.conf"


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


def host(folder: Path, more: Mapping[str, Path] | None = None) -> Machine:
    """One package is installed, whose settings somebody has changed by hand; ``more``: what else it has of its own, by place."""
    mounts = {place: folder / place.strip("/").replace("/", "-") for place in PLACES}
    for own in mounts.values():
        own.mkdir()
    archive = folder / "archive"
    archive.mkdir()
    (mounts["/etc/apt"] / "apt.conf").write_text('APT::Sandbox::User "root";\n')
    (mounts["/etc/apt"] / "sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n")
    for name in ("info", "updates", "triggers", "parts"):
        (mounts["/var/lib/dpkg"] / name).mkdir()
    for name in ("status", "available"):
        (mounts["/var/lib/dpkg"] / name).touch()
    one = Machine(folder, archive, {**mounts, **(more or {})})
    first = one.offer("1.0")
    one.run(f"dpkg --install {first} && echo by hand > {SETTINGS}")
    return one
