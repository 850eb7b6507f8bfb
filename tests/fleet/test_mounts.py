"""Which mounts are asked, and how df is read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet import local
from guardian_tui.engine.fleet.mounts import Mount, chosen, parse_rooms, room_values, rooms_request
from guardian_tui.engine.fleet.reading import parse

ROOT: Mount = ("/dev/sda1", "/", "ext4", False)
DF = b"""D /dev/sda1        40000000 20000000  18000000      53% /
D /dev/sdb1             100       50        50      50% /srv/two words
I /dev/sda1      2500000 500000 2000000   20% /
I /dev/sdb1            0      0       0     - /srv/two words
"""


def test_remote_mounts_are_asked_apart_and_duplicates_once() -> None:
    mounts = parse(
        b"o /dev/sda1 / ext4 rw 0 0\no /dev/sda1 /var/lib/docker ext4 rw 0 0\no nas:/x /mnt/nas nfs4 rw 0 0\no tmpfs /run tmpfs rw 0 0\no overlay /x overlay rw 0 0"
    ).mounts
    local, remote = chosen(mounts)
    assert [mount[1] for mount in local] == ["/"]
    assert [mount[1] for mount in remote] == ["/mnt/nas"]


def test_the_root_is_asked_for_whatever_it_is_and_names_with_escapes_are_not() -> None:
    local, _ = chosen(
        [
            ("overlay", "/", "overlay", False),
            ("/dev/sdb", "/a\x1b[2J", "ext4", False),
            ("/dev/sdc", "/b\nc", "ext4", False),
        ]
    )
    assert [mount[1] for mount in local] == ["/"]


def test_a_mount_with_blanks_and_one_without_inodes_are_read() -> None:
    blank = parse(rb"o /dev/sdb1 /srv/two\040words btrfs ro,noatime 0 0").mounts[0]
    rooms = parse_rooms(DF, [ROOT, blank])
    assert [room.mount for room in rooms] == ["/", "/srv/two words"]
    assert rooms[0].used_ratio == pytest.approx(20 / 38)
    assert rooms[0].inodes_free_ratio == 0.8
    assert math.isnan(rooms[1].inodes_free_ratio) and rooms[1].read_only
    layout, values = room_values(rooms)
    assert dict(zip(layout.names, values, strict=True))["filesystem_available_bytes{/}"] == 18000000 * 1024


def test_blanks_and_percent_signs_of_a_mount_travel_in_one_word() -> None:
    request = rooms_request([("/dev/x", "/a 100%20 b", "ext4", False), ("/dev/y", "-h", "ext4", False)])
    assert request == "r /a%20100%2520%20b -h"


@given(st.binary(max_size=2000))
def test_any_output_of_df_is_read_without_an_error(output: bytes) -> None:
    parse_rooms(output, [ROOT])
    parse_rooms(DF[:60] + output, [ROOT])


@given(st.integers(0, len(DF)), st.binary(max_size=8))
def test_df_with_noise_anywhere_gives_sane_rooms_or_none(place: int, noise: bytes) -> None:
    for room in parse_rooms(DF[:place] + noise + DF[place:], [ROOT]):
        assert room.size_bytes >= 0 and 0 <= room.used_ratio <= 1


def test_a_mount_that_is_read_only_for_one_unit_alone_is_no_read_only_file_system() -> None:
    seen = (
        "23 1 254:0 / / ro,nosuid shared:1 - ext4 /dev/vda1 rw,discard\n"
        "24 23 7:0 / /snap/my\\040app ro - squashfs /dev/loop0 ro\n"
        "25 23 254:1 / /srv rw master:2 shared:3 - xfs /dev/vdb ro,relatime\n"
        "26 23 254:2 / /srv rw - ext4 /dev/vdc rw\n"
        "nonsense\n"
    )
    assert local.read_only_points(seen) == {"/snap/my app"}
    assert local.read_only_points("") is None
