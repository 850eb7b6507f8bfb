"""docs/probe-permissions.md lists the sudoers rules that the probe can make use of, all of them and no other."""

from __future__ import annotations

import re
from pathlib import Path

from guardian_tui.engine.fleet import probe
from guardian_tui.protocol.sections import SECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "probe-permissions.md"


def test_every_rule_that_the_probe_can_use_is_listed_and_no_other() -> None:
    called = re.findall(
        r"(?:told_to_root\(\"\w+\", |output_to_root\()\d+, \"([^\"]+)\", \"([^\"]*)\"", probe.program()
    )
    assert called
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \| `guardian ALL=\(root\) NOPASSWD: /usr/s?bin/([^ `]+) ?([^`]*)` \|$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    told = {(program, arguments) for _, program, arguments in rows}
    for program, arguments in called:
        # what the probe puts behind it (a device) is written in capitals
        assert [one for one in told if one[0] == program and one[1].startswith(arguments)], (
            program,
            arguments,
        )
    for sections, program, arguments in rows:
        assert [one for one in called if one[0] == program and arguments.startswith(one[1])], program
        for name in sections.split(", "):
            assert name.strip("`") in SECTIONS


def test_no_rule_needs_what_sudoers_would_have_to_escape() -> None:
    for _, arguments in re.findall(
        r"(?:told_to_root\(\"\w+\", |output_to_root\()\d+, \"([^\"]+)\", \"([^\"]*)\"", probe.program()
    ):
        assert not set(arguments) & set(",:=\\\"'$`;|&><")
