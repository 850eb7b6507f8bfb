"""A dump that broke off while a repository was fed from it: whose fault that is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardian_tui.engine.backups.engines.base import Judgement

NO_SPACE = re.compile(
    r"No space left on device|Disk quota exceeded|errno:? 28\b|Errcode: 28|disk is full", re.I
)
"""What databases, their programs and shells say of a full disk."""


def broken_dump(name: str, code: int, said: Sequence[str]) -> Judgement:
    """The verdict on it.

    Args:
        name: the dump's.
        code: how its program ended.
        said: what it complained about, the last line first.
    """
    full = next((words for words in said if NO_SPACE.search(words)), "")
    words = f"The dump {name} broke off with exit code {code}: {full or next(iter(said), 'it said nothing')}."
    words = f"{words} What was saved of it is not whole."
    if full:
        return Judgement(
            "no_space", words, "Free space on the dump's host. SQLite is copied before it is read, to where its option scratch says."
        )  # fmt: skip
    return Judgement("failed", words, "See why the database can't be dumped, then run the backup again.")
