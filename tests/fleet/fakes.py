"""A host of another kind than this machine: a folder of programs that print what real ones printed, and a /proc of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.sections import Raw, split
from tests.fleet.test_probe import AWKS

_TOPS = re.compile(r"""([ "])(/(?:proc|etc|run|var|root|home|boot|lib|dev|sys)/)""")
RECORDED = Path(__file__).parent / "recorded"
_PLAIN = ("cat", "date", "find", "grep", "ls", "sh", "timeout", "true")
"""What every host has; nothing else of this machine is seen."""


def recorded(name: str) -> str:
    """The output of a program, as a real host wrote it."""
    return (RECORDED / name).read_text(encoding="utf-8")


class FakeHost:
    """A host by its programs.

    Args:
        folder: where it may live.
        awk: which of this machine's awks it has.
        programs: ``program`` or ``program first words of its arguments`` → what it prints.
        files: path → content; paths of the host are looked for below the folder.
        root: whether the probe's account is root.
    """

    def __init__(
        self, folder: Path, awk: str, programs: Mapping[str, str] | None = None, *, files: Mapping[str, str] | None = None, root: bool = True
    ) -> None:  # fmt: skip
        self.folder = folder
        self.asked = folder / "asked"
        bin = folder / "bin"
        bin.mkdir(parents=True, exist_ok=True)
        (bin / "awk").symlink_to(AWKS[awk])
        for name in _PLAIN:
            (bin / name).symlink_to(shutil.which(name) or name)
        cases: dict[str, list[tuple[str, str]]] = {
            "id": [("-un", "guardian\n"), ("-u", "0\n" if root else "990\n")],
            "readlink": [("", AWKS[awk] + "\n")],
        }
        for call, output in (programs or {}).items():
            name, _, words = call.partition(" ")
            cases.setdefault(name, []).append((words, output))
        for name, outputs in cases.items():
            lines = ["#!/bin/sh", f"echo \"{name} $*\" >>'{self.asked}'", 'case "$*" in']
            for number, (words, output) in enumerate(outputs):
                (folder / f"{name}.{number}").write_text(output, encoding="utf-8")
                pattern = "".join(f"\\{char}" if not char.isalnum() else char for char in words)
                lines.append(f"{pattern}*) exec cat '{folder / f'{name}.{number}'}' ;;")
            (bin / name).write_text("\n".join([*lines, "*) exit 1 ;;", "esac\n"]), encoding="utf-8")
            (bin / name).chmod(0o755)
        for path, content in (files or {}).items():
            where = folder / path.lstrip("/")
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(content, encoding="utf-8")
        (folder / "proc").mkdir(exist_ok=True)

    def command(self) -> str:
        """The probe's command, for which this folder is the whole host."""
        text = probe.command().replace(":/usr/local/sbin:/usr/sbin:/sbin", "")
        # in one go: the folder may lie below one of them itself, and must not be replaced again
        text = _TOPS.sub(lambda found: f"{found[1]}{self.folder}{found[2]}", text)
        return text.replace('"/.docker', f'"{self.folder}/.docker')

    def ask(self, *names: str) -> dict[str, Raw]:
        """Sections of this host."""
        done = subprocess.run(
            ["/bin/sh", "-c", self.command()], input=f"1 q {' '.join(names)}\n".encode(), capture_output=True, timeout=60, check=False,
            env={"PATH": str(self.folder / "bin")},
        )  # fmt: skip
        assert done.returncode == 0 and done.stderr == b""
        assert done.stdout.startswith(b"=1 1\n") and done.stdout.endswith(b"\n.1\n")
        body = done.stdout.removeprefix(b"=1 1\n").removesuffix(b".1\n")
        return split(
            body.replace(f"{self.folder}/bin/".encode(), b"/usr/bin/").replace(
                str(self.folder).encode(), b""
            ),
            names,
        )

    def calls(self) -> list[str]:
        """What was started, in order."""
        return self.asked.read_text(encoding="utf-8").splitlines() if self.asked.exists() else []
