"""Room and growth in words: what is known is told, and why there is no more."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from guardian_tui.moments import parse_size, written_size
from guardian_tui.protocol.backups import RepositoryRow
from widgets.room_words import growth_words, room_words, soon_words

DAY = 86400.0
ROW = RepositoryRow(id="a", name="a", engine="restic", location="/a", host="h")


@pytest.mark.parametrize(
    ("row", "room", "growth", "soon"),
    [
        (replace(ROW, forecast="it was not weighed yet"), "not weighed yet", "it was not weighed yet", ""),
        (replace(ROW, bytes=5 << 30), "5.0 GiB", "", ""),
        (
            replace(ROW, taken_bytes=1 << 40, capacity_bytes=2 << 40, growth_bytes_per_day=float(8 << 30), full_at=60 * DAY, doubles_at=60 * DAY),
            "1.0 TiB of 2.0 TiB", "8.0 GiB a day; full in 60d", "full in 60d · ",
        ),
        (
            replace(ROW, taken_bytes=1 << 40, whole_disk=True, growth_bytes_per_day=-1024.0), "1.0 TiB, all that lies on its disk",
            "shrinks by 1.0 KiB a day", "",
        ),
        (replace(ROW, taken_bytes=1, growth_bytes_per_day=0.0, forecast="it does not grow"), "1 B", "does not grow", ""),
        (
            replace(ROW, taken_bytes=1 << 40, growth_bytes_per_day=1024.0, doubles_at=500 * DAY, forecast="s3 tells nobody"), "1.0 TiB",
            "1.0 KiB a day; twice as large in 500d; s3 tells nobody", "",
        ),
        (replace(ROW, full_at=-DAY, growth_bytes_per_day=1024.0), "not weighed yet", "1.0 KiB a day; full in 0s", "full in 0s · "),
    ],
)  # fmt: skip
def test_room_and_growth_are_told(row: RepositoryRow, room: str, growth: str, soon: str) -> None:
    assert (room_words(row), growth_words(row, 0.0), soon_words(row, 0.0)) == (room, growth, soon)


@pytest.mark.parametrize(
    ("size", "text"), [(2 << 40, "2T"), (1500 << 30, "1500G"), (4097, "4097"), (0, "0"), (7 << 60, "7168P")]
)
def test_a_size_is_written_as_it_is_read_again(size: int, text: str) -> None:
    assert written_size(size) == text and parse_size(text) == size
