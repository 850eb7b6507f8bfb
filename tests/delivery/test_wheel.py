"""What `pip install .` gives: the command works by itself, away from the tree that it was built from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from guardian_tui import __version__

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("guardian_tui", "screens", "widgets", "themes")


@dataclass
class Installed:
    """The program, installed from a wheel into an environment of its own."""

    wheel: Path
    tracked: list[str]
    environment: Path

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, far from the tree."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_"))}
        return subprocess.run(
            [str(self.environment / "bin" / words[0]), *words[1:]],
            cwd=self.environment, env={**kept, **more}, capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Built from the tracked files alone, as from a clone; the dependencies are those of the running environment."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    for name in tracked:
        if not name.startswith(("tests/", "bench/", "docs/")):
            target = folder / "clone" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", "dist", "./clone"]
    subprocess.run(build, cwd=folder, check=True, timeout=110)
    (wheel,) = (folder / "dist").glob("guardian_tui-*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=110)
    subprocess.run(
        [*pip, "--python", str(environment), "install", "--no-deps", "--no-index", str(wheel)],
        check=True, timeout=110,
    )  # fmt: skip
    (site,) = (environment / "lib").glob("python*/site-packages")
    # a folder named in a .pth file lends its packages; the .pth files in it (an editable install of this tree) are not read
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, tracked, environment)


def test_the_installed_command_says_its_version(installed: Installed) -> None:
    done = installed.run("guardian-tui", "--version")
    assert (done.returncode, done.stdout.split()[-1:]) == (0, [__version__]), done.stderr
    where = installed.run(
        "python", "-c", "import guardian_tui.app, screens, widgets, themes; print(guardian_tui.__file__)"
    )
    assert where.stdout.startswith(str(installed.environment)), where.stdout + where.stderr


def test_every_tracked_file_of_the_packages_is_in_the_wheel_and_nothing_else(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("LICENSE")]
    assert packed == {name for name in installed.tracked if name.split("/")[0] in PACKAGES}
    assert licences
    data = {name for name in packed if not name.endswith(".py")}
    assert data >= {
        "guardian_tui/engine/access/common_passwords.txt",
        "guardian_tui/engine/fleet/probe/launcher.sh",
        "guardian_tui/engine/fleet/probe/probe.awk",
        "guardian_tui/engine/fleet/probe/probe.sh",
        "themes/guardian-dark.toml",
    }
    assert {"s0001_first.py", "m0001_first.py"} <= {Path(name).name for name in packed}


def test_the_installed_program_finds_its_data(installed: Installed) -> None:
    program = (
        "from guardian_tui.engine.access.passwords import common_passwords;"
        "from guardian_tui.engine.fleet import probe; from themes import load_themes;"
        "from guardian_tui.engine.openapi import openapi_document;"
        "assert common_passwords(); assert 'awk' in probe.command(); assert b'/v1/hello' in openapi_document();"
        "themes = load_themes(); assert len(themes.themes) >= 5; assert not themes.problems, themes.problems"
    )
    done = installed.run("python", "-c", program)
    assert done.returncode == 0, done.stderr


def test_the_installed_engine_makes_its_store_and_answers(installed: Installed, tmp_path: Path) -> None:
    home = {"GUARDIAN_HOME": str(tmp_path / "g"), "HOME": str(tmp_path)}
    started = installed.run("guardian-tui", "engine", "start", **home)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        asked = installed.run("guardian-tui", "engine", "status", "--json", **home)
        assert json.loads(asked.stdout)["version"] == __version__
    finally:
        stopped = installed.run("guardian-tui", "engine", "stop", **home)
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr


def test_the_installed_demo_shows_a_fleet_and_leaves_nothing_behind(
    installed: Installed, tmp_path: Path
) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_"))}
    process = subprocess.Popen(
        [str(installed.environment / "bin" / "guardian-tui"), "demo", "--no-console", "--hosts", "3"],
        cwd=tmp_path, env=kept, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process:
        said = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        said += process.stdout.readlines()
    assert process.returncode == 0, said
    assert said[0].startswith("GUARDIAN_HOME="), said
    assert not Path(said[0].partition("=")[2].split()[0]).exists()
