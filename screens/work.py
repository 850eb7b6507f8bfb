"""Work that a screen does beside its drawing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import partial
from types import MethodType
from typing import Any, cast

from textual.dom import DOMNode


def begin(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], *, group: str = "default", exclusive: bool = False
) -> None:  # fmt: skip
    """Do ``work`` in the background, as long as ``node`` is there.

    It is handed over as what makes the coroutine, not as the coroutine: a screen that closes before it is begun has none left over.
    ``exclusive`` work ends what is still done of the same ``group``.

    Raises:
        TypeError: ``work`` is no ``async def`` (nor a ``partial`` of one): a lambda that makes a coroutine would fail without a word.
    """
    made_by = work.func if isinstance(work, partial) else work
    made_by = made_by.__func__ if isinstance(made_by, MethodType) else made_by
    if not inspect.iscoroutinefunction(made_by):
        raise TypeError(f"{made_by!r} is no async def: hand over that one, or a partial of it")
    # Any: the type of Textual's parameter is a union that fits twice
    node.run_worker(cast(Any, work), group=group, exclusive=exclusive, exit_on_error=False)
