"""Layouts of series, one object for each set of names: rules look names up once per layout."""

from __future__ import annotations

from collections import OrderedDict

from guardian_tui.engine.facts import Layout

MOST_LAYOUTS = 4096

_layouts: OrderedDict[tuple[str, ...], Layout] = OrderedDict()


def interned(names: tuple[str, ...]) -> Layout:
    """The layout of these series; hosts of one shape share it."""
    layout = _layouts.get(names)
    if layout is None:
        layout = _layouts[names] = Layout(names)
        if len(_layouts) > MOST_LAYOUTS:
            _layouts.popitem(last=False)
    return layout
