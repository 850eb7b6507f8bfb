"""`Include` in ~/.ssh/config: hosts of the files that it names are offered too, and a fault is named where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui.engine.fleet.sources import read_source as read_text
from guardian_tui.source_files import read_source


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".ssh"
    (folder / "config.d").mkdir(parents=True)
    return folder


def test_included_files_are_read_where_they_stand(folder: Path) -> None:
    (folder / "config").write_text(
        "Include config.d/*.conf nowhere\nHost own\n  HostName 10.0.0.1\n  Include below\nHost *\n  User ada\n  Include late\n  Port 2200\n"
    )
    (folder / "config.d" / "a.conf").write_text("Host web\n  HostName 10.0.0.2\n  Strange x\n")
    (folder / "config.d" / "b.conf").write_text("\nHost odd\n  Port many\n")
    (folder / "late").write_text("Include late\nHost last\n  User eve\n")
    reading = read_text(read_source("~/.ssh/config"))
    hosts = {entry.spec.name: entry for entry in reading.entries}
    assert set(hosts) == {"web", "own", "last"}
    assert (hosts["web"].spec.address, hosts["web"].spec.user, hosts["web"].spec.port) == (
        "10.0.0.2",
        "ada",
        2200,
    )
    assert hosts["web"].where == f"{folder}/config.d/a.conf:1"
    assert hosts["web"].unsupported == (f"strange ({folder}/config.d/a.conf:3)",)
    # what stands after an included file is not of its last host
    assert (hosts["own"].where, hosts["own"].spec.port) == (f"{folder}/config:2", 2200)
    assert hosts["last"].spec.user == "ada", "the first that says it counts, as for ssh"
    told = "\n".join(reading.problems)
    assert f"{folder}/config.d/b.conf:2: host odd" in told
    assert f"{folder}/config:4: Include is not followed below Host" in told


def test_what_can_not_be_read_is_named_and_a_circle_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config").write_text('Include one "\nInclude "one" /\nHost own\n')
    (folder / "one").write_text("Include config\nHost inner\n")
    whole = Path.read_text

    def refused(path: Path, *words: object, **named: object) -> str:
        if path.name == "one":
            raise PermissionError(13, "Permission denied")
        return whole(path, *words, **named)  # type: ignore[arg-type]  # handed on

    reading = read_text(read_source("~/.ssh/config"))
    assert {entry.spec.name for entry in reading.entries} == {"own", "inner"}
    monkeypatch.setattr(Path, "read_text", refused)
    reading = read_text(read_source("~/.ssh/config"))
    assert [entry.spec.name for entry in reading.entries] == ["own"]
    assert any(f"import {folder}/one by itself" in words for words in reading.problems)
