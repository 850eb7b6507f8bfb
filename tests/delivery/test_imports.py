"""Which side imports what, looked at in fresh interpreters: what a static linter can't see."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def modules_after(statement: str) -> set[str]:
    """Top-level names and our own modules that a statement brings in."""
    program = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_terminal_s_side_brings_in_neither_the_engine_nor_what_it_stands_on() -> None:
    loaded = modules_after("import guardian_tui.app, guardian_tui.cli.main")
    forbidden = (
        "guardian_tui.engine",
        "sqlalchemy",
        "asyncssh",
        "alembic",
        "starlette",
        "uvicorn",
        "argon2",
        "psycopg",
        "aiosqlite",
        "keyring",
    )
    assert not [
        name for name in loaded if name.split(".")[0] in forbidden or name.startswith("guardian_tui.engine")
    ]


def test_the_engine_brings_in_nothing_that_draws() -> None:
    loaded = modules_after(
        "import guardian_tui.engine.main, guardian_tui.engine.fleet.orders, guardian_tui.engine.alerts.service, guardian_tui.engine.remote.connections"
    )
    assert not [
        name for name in loaded if name.split(".")[0] in ("textual", "rich", "screens", "widgets", "themes")
    ]


def test_login_is_served_before_what_is_slow_is_imported() -> None:
    loaded = modules_after("import guardian_tui.engine.main")
    assert not loaded & {"asyncssh", "alembic", "keyring", "segno"}


def test_the_command_paints_before_the_headless_tree_is_built() -> None:
    loaded = modules_after("import guardian_tui.cli.main")
    assert not loaded & {"textual", "httpx", "guardian_tui.cli.tree"}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_dependency_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = [
        block
        for block in text.replace("\\\n", " ").splitlines()
        if block.strip() and not block.startswith("#")
    ]
    assert len(packages) > 20
    for package in packages:
        assert "==" in package and "--hash=sha256:" in package, package


def test_what_the_project_needs_is_among_the_pins() -> None:
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, wanted in (
        ("requirements.txt", project["dependencies"]),
        ("requirements-dev.txt", project["optional-dependencies"]["dev"]),
    ):
        pinned = {
            line.split("==")[0].lower() for line in (ROOT / name).read_text().splitlines() if "==" in line
        }
        for requirement in wanted:
            package = re.split(r"[\[<>=~! ]", requirement)[0].lower()
            assert package in pinned, f"{package} is not in {name}: run make requirements"


def test_the_make_targets_of_the_readme_are_there() -> None:
    makefile, readme = (ROOT / "Makefile").read_text(), (ROOT / "README.md").read_text()
    for target in ("run", "test", "venv", "check", "soak"):
        assert f"\n{target}:" in makefile
    assert "make run" in readme and "make test" in readme


def test_a_missing_venv_module_is_named(tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text('#!/bin/sh\ncase "$2" in *version_info*) exit 0;; *) exit 1;; esac\n')
    fake.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / ".ci" / "need-python"), str(fake)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    done = subprocess.run(
        ["sh", str(ROOT / ".ci" / "need-python"), "no-such-python"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "apt-get install python3" in done.stderr
