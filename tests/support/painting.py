"""A terminal that keeps all that was painted, and a look at what must not be in it."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.drivers.headless_driver import HeadlessDriver

# what Textual itself writes: colours, cursor, modes (CSI), and the shape of the pointer (OSC 22)
_OURS = re.compile(r"\x1b\[[0-9;:?<>=]*[ -/]*[@-~]|\x1b\]22;[a-z-]*\x07")


class PaintingDriver(HeadlessDriver):
    """A terminal that keeps every byte that was painted."""

    painted: ClassVar[list[str]] = []

    @property
    def is_headless(self) -> bool:
        return False  # a headless app does not paint

    def write(self, data: str) -> None:
        self.painted.append(data)


def leftovers(painted: str) -> str:
    """Control characters that are not Textual's own, escaped so that they can be read."""
    rest = _OURS.sub("", painted)
    hidden = re.findall(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff].{0,20}", rest
    )
    hidden += re.findall("[\ue000-\uf8ff\U000e0000-\U000e007f]", rest)
    return ascii(hidden) if hidden else ""
