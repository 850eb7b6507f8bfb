"""What scrolls in a room of its own: more or fewer lines move its scroll bar, and nothing else on the screen."""

from __future__ import annotations

from textual.geometry import Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView

from widgets.caption import Captioned


class Scrolled(ScrollView, Captioned):
    """A scroll view with a caption.

    Textual arranges and paints a whole screen anew when the length of what scrolls in one of its panes changes; for a pane whose height doesn't
    come from its lines that is a dozen milliseconds for nothing, in which no key is answered.
    """

    virtual_size = Reactive(Size(0, 0), layout=False)

    def watch_virtual_size(self, virtual_size: Size) -> None:
        """Another length: another scroll bar."""
        if self.styles.auto_dimensions:
            self.refresh(layout=True)
        elif self.container_size:
            self._scroll_update(virtual_size)
