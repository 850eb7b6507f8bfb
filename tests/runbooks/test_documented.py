"""What the documentation says of the format is so."""

from __future__ import annotations

import re
from pathlib import Path

from guardian_tui.engine.alerts.catalogue import SHIPPED_NAMES
from guardian_tui.engine.runbooks.documents import parse
from guardian_tui.engine.runbooks.documents.expressions import parse_expression
from guardian_tui.engine.runbooks.documents.front import (
    ALERT_FIELDS,
    INVENTORY_FIELDS,
    KEYS,
    TYPES,
    VARIABLE_KEYS,
)
from guardian_tui.engine.runbooks.documents.judging import COMMAND_NAMES, WAIT_NAMES
from guardian_tui.engine.runbooks.documents.steps import KEYS as STEP_KEYS
from guardian_tui.engine.runbooks.documents.units import UNITS
from tests.runbooks.sample import found, step

TEXT = (Path(__file__).parent.parent.parent / "docs" / "runbooks.md").read_text()


def test_the_example_is_a_runbook() -> None:
    example = TEXT.split("````markdown\n")[1].split("````")[0]
    assert parse(example, "example.md", rules=SHIPPED_NAMES).__class__.__name__ == "Document"
    assert found(example) == {}


def test_every_key_kind_type_field_and_name_is_told() -> None:
    told = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`\n]+)`", TEXT))))
    wanted = {
        *KEYS,
        *VARIABLE_KEYS,
        *TYPES,
        *STEP_KEYS,
        *COMMAND_NAMES,
        *WAIT_NAMES,
        *INVENTORY_FIELDS,
        "capture",
        "person",
        "instance",
        "mount",
        "unit",
        "why",
    }
    wanted |= {key for keys in STEP_KEYS.values() for key in keys}
    assert wanted - told == set()
    assert {"host", "rule", "severity", "value", "since"} <= ALERT_FIELDS & told
    assert all(unit in TEXT for unit in UNITS if len(unit) < 2 or unit in ("ms", "kB", "MB", "GB", "KiB"))


def test_the_conditions_are_some() -> None:
    for line in TEXT.split("## Conditions\n")[1].split("\n\n")[0].strip().splitlines():
        parse_expression(line.strip().removesuffix(" for 2m"))


def test_what_is_told_to_be_refused_is_refused_and_what_is_told_to_be_written_is_taken() -> None:
    front = "vars: {x: {}, pidfile: {type: path}, n: {type: int}, domain: {type: host}}\n"
    table = TEXT.split("| refused | write instead |")[1].split("\n\n")[0]
    rows = [
        line
        for line in table.splitlines()
        if "{{x}}" in line and "[placeholder" in line and "$(…)" not in line
    ]
    codes = 0
    for row in rows:
        refused = row.split("|")[1]
        for command in re.findall(r"`([^`]*\{\{x\}\}[^`]*)`", refused):
            codes += 1
            assert any(
                code.startswith("placeholder-")
                for code in found(
                    step(
                        f"run: |\n  {command if command[0] not in chr(39) + chr(34) else 'ls ' + command}",
                        front,
                    )
                )
            ), command
    assert codes >= 6
    script = TEXT.split("```yaml\n")[1].split("```")[0]
    assert {"unmarked-danger"} >= set(found(step(script.strip(), front)))
    assert (
        found(
            step("check: head --lines={{n}} -- /etc/hosts; openssl s_client -connect {{domain}}:443", front)
        )
        == {}
    )
