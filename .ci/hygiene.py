"""What no linter knows: no package index is named, nothing is left unfinished, no path of one machine."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

# put together here, so that this file names none itself
_HOSTS = [
    a + "\\." + b
    for a, b in (("py" + "pi", "org"), ("python" + "hosted", "org"), ("deb\\.deb" + "ian", "org"))
]
_RULES = (
    (re.compile("|".join(_HOSTS) + "|--(extra-)?index" + "-url"), "names a package index or its host"),
    (re.compile(r"(?<![\w.])/(wo" + r"rk|farm|home/\w+)/\w"), "names a path of one machine"),
    (re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b"), "is unfinished"),
    (re.compile(r"type:\s*ignore(?!\[[\w,\s-]+\]\s*#)"), "has a type: ignore without a code and a reason"),
)


def main() -> int:
    """Look at every tracked text file; answers how many faults there are."""
    names = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    faults = 0
    for name in filter(None, names):
        if name in (".ci/hygiene.py", "LICENSE"):
            continue
        try:
            text = pathlib.Path(name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, words in _RULES:
                if pattern.search(line):
                    print(f"{name}:{number}: {words}: {line.strip()[:100]}")
                    faults += 1
    return faults


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
