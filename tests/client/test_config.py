"""Settings: wrong ones are refused with their file, line and key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardian_tui.config import Paths, Settings, find_paths, load_settings, parse_settings
from guardian_tui.protocol.errors import InvalidRequest

ROOT = Path(__file__).parent.parent.parent


def test_the_documented_configuration_is_valid_and_complete() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text().split("```toml\n")[1].split("```")[0]
    settings = parse_settings(text)
    for section in ("engine", "fleet", "store", "access", "audit", "approvals"):
        for name in getattr(Settings(), section).__struct_fields__:
            written = f"{name} =" in text or f"[{section}.{name}]" in text
            assert written, f"{section}.{name} is not documented"
    assert settings.fleet == Settings().fleet


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[fleet]\n\ninterval_second = 3\n", "line 3"), ("[fleet]\ninterval_seconds = 0\n", "line 2"), ("[fleet\n", "TOML"),
        ('mode = "solo"\n', "line 1"), ("[store]\nraw_days = 'x'\n", "line 2"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        parse_settings(text)


def test_what_is_wrong_is_told_in_words_that_no_terminal_obeys(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text('"\\u001b]0;x\\u0007" = 3\n')
    ended = subprocess.run(
        [sys.executable, "-m", "guardian_tui", "engine", "run"], cwd=ROOT, env={**os.environ, "GUARDIAN_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 1 and "unknown field `␛]0;x␇`" in ended.stderr, ended.stderr
    assert "\x1b" not in ended.stderr


def test_files_live_under_one_folder_or_where_the_platform_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    paths = find_paths()
    assert paths.socket == tmp_path / "run" / "engine.sock"
    assert (
        paths.keys_file.name == "keys.toml"
        and paths.themes.name == "themes"
        and paths.cli_token.name == "cli-token"
    )
    monkeypatch.delenv("GUARDIAN_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "guardian-tui" in str(find_paths().settings_file)


def test_no_file_means_defaults_and_an_unreadable_one_is_said(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, tmp_path)
    assert load_settings(paths) == Settings()
    paths.settings_file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidRequest, match="can't be read"):
        load_settings(paths)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[store]\nurl = "x"\n\n[fleet]\nconnects_at_once = "many"\n', 5),
        ('[alerts]\n\n[store]\ncolour = "x"\n', 4),
        ('[backups.db]\nhost = "a"\nrepository = "v"\n\n[backups.web]\nhost = "a"\nrepository = "v"\nrpo_seconds = "x"\n', 5),
        ('store = { colour = "x" }\n', 0),
        ("nonsense = 1\n", 1),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_in_its_own_table(text: str, line: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_settings(text)
    assert (f", line {line}:" in refused.value.detail) if line else (", line" not in refused.value.detail), (
        refused.value.detail
    )
