"""What stands between the console and its terminal: how keys come in, and what leaves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter, Monochrome

from widgets.backstop import Backstop


class TerminalDriver(LinuxDriver):
    """Textual's own, but bytes that are no UTF-8 (a key with the eighth bit, something pasted) end no console: they are nothing."""

    def run_input_thread(self) -> None:
        """Wait for input and dispatch it; after what can't be read begin anew."""
        while not self.exit_event.is_set():
            try:
                super().run_input_thread()
            except UnicodeDecodeError:
                continue


class TerminalApp(App[int]):
    """An app of which only what is harmless reaches the terminal.

    Args:
        encoding: of a terminal that has few signs; empty: it has all.
    """

    on_terminal = False
    """Whether a real terminal is drawn on, whose end is ours too."""

    def __init__(self, encoding: str = "") -> None:
        self._backstop = Backstop(encoding)
        super().__init__()

    def get_driver_class(self) -> type[Driver]:
        """The driver for a terminal; tests and other systems have their own."""
        found = super().get_driver_class()
        return TerminalDriver if found is LinuxDriver else found

    def write_raw(self, sequence: str) -> None:
        """Send the terminal what is no text."""
        if sequence and self.on_terminal and self._driver is not None:
            self._driver.write(sequence)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Nothing but printable characters leaves, whatever a widget drew."""
        # a terminal without colours is served by a theme: greys of the others could not be told apart
        others = [one for one in super().get_line_filters() if not isinstance(one, Monochrome)]
        return [*others, self._backstop]

    def _fatal_error(self) -> None:
        """End after a fault of ours without printing locals: they may hold passwords."""
        self.bell()
        self._close_messages_no_wait()


def encoding_of(terminal: TextIO | None, *, ascii: bool) -> str:
    """The encoding by which a terminal has few signs; empty: it has all.

    Args:
        terminal: what is drawn on.
        ascii: a person wants no other signs than those of ASCII.
    """
    if ascii:
        return "ascii"
    found = (terminal.encoding or "" if terminal is not None else "").lower().replace("_", "-")
    return "" if found in ("", "utf-8", "utf8") else found


def own_encoding(*, ascii: bool) -> str:
    """That of the terminal that we draw on."""
    return encoding_of(sys.__stderr__, ascii=ascii)
