"""`Include` of an OpenSSH client configuration: the files are put in where the line stands, as `ssh` reads them.

They are read here, as the person: the engine opens no file of theirs.  A line ``#@ LINE FILE`` before what comes from another file says
where that stands, so that what is wrong there is named there.  Only an `Include` that holds for every host is followed; one below `Host` or `Match` is left
as it stands, and named by the engine.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

DEEPEST = 8
"""Files that include files: ssh itself goes to 16."""
MOST_FILES = 500
FOLDER = "~/.ssh"
"""Where a name without a folder is looked for."""


def with_includes(path: Path, text: str) -> str:
    """The text of a configuration with that of the files which it includes."""
    return "\n".join(_lines(path, text, DEEPEST, [MOST_FILES]))


def _lines(path: Path, text: str, deeper: int, left: list[int]) -> Iterator[str]:
    everywhere = True
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line)
        if words[0] in ("host", "match"):
            everywhere = words[0] == "host" and words[1:] == ["*"]
        if words[0] != "include" or not everywhere or not deeper:
            yield line
            continue
        for name in words[1:]:
            for found in _found(name):
                left[0] -= 1
                try:
                    inner = found.read_text(encoding="utf-8-sig", errors="replace") if left[0] >= 0 else None
                except OSError:
                    inner = None
                if inner is None:
                    # the engine names what is not followed
                    yield f"Include {shlex.quote(str(found))}"
                    continue
                yield f"#@ 1 {found}"
                yield from _lines(found, inner, deeper - 1, left)
                # its last Host ends with it
                yield "Host *"
        yield f"#@ {number + 1} {path}"


def _words(line: str) -> list[str]:
    """The keyword in small letters and its values; empty words for what can't be read."""
    keyword, _, rest = line.strip().replace("=", " ", 1).replace("\t", " ").partition(" ")
    try:
        return [keyword.lower(), *shlex.split(rest, comments=True)]
    except ValueError:
        return [""]


def _found(name: str) -> list[Path]:
    """The files that a name means, as ssh has them: in order, and none is no fault."""
    path = Path(name).expanduser()
    if not path.is_absolute():
        path = Path(FOLDER).expanduser() / path
    parts = path.relative_to("/")
    return sorted(one for one in Path("/").glob(str(parts)) if one.is_file()) if str(parts) != "." else []
