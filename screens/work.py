"""Work that a screen does beside its drawing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode


def begin(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], *, group: str = "default", exclusive: bool = False
) -> None:  # fmt: skip
    """Do ``work`` in the background, as long as ``node`` is there.

    It is handed over as what makes the coroutine, not as the coroutine: a screen that closes before it is begun has none left over.
    ``exclusive`` work ends what is still done of the same ``group``.
    """
    # Any: the type of Textual's parameter is a union that fits twice
    node.run_worker(cast(Any, work), group=group, exclusive=exclusive, exit_on_error=False)
