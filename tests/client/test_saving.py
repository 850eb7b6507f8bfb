"""What is on screen becomes a file, or nothing does."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui.ordinary.saving import SavingCommands
from tests.support.disks import fill, small_disk


class Told(SavingCommands):
    """The app, as far as saving needs one."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def say(self, words: str, severity: str = "information") -> None:
        self.said.append((severity, words))


def test_a_transcript_that_a_full_disk_takes_half_of_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Told()
    with small_disk(tmp_path / "documents", 1) as disk:
        monkeypatch.setattr("platformdirs.user_documents_dir", lambda: str(disk))
        ballast = fill(disk)
        ballast.write_bytes(b"x" * (512 << 10))
        app.save_text("line\n" * 200_000, "md")
        assert list(disk.iterdir()) == [ballast]
        (severity, words) = app.said.pop()
        assert severity == "error" and words.endswith(".md can't be written: No space left on device.")
        app.save_text("line\n" * 1000, "md")
        (saved,) = set(disk.iterdir()) - {ballast}
        assert saved.read_text() == "line\n" * 1000
        assert app.said == [("information", f"Saved to {saved}.")]
