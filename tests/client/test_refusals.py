"""Why a value can't be, in words that a person who fills in a form understands."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from guardian_tui.protocol.backups import JobSpec, RepositorySpec
from guardian_tui.protocol.checks import CheckSpec
from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.protocol.refusals import told, why_refused

JOB = {"name": "web", "host": "web-1", "repository": "vault"}


@pytest.mark.parametrize(
    ("fields", "kind", "said"),
    [
        ({"name": "a b"}, HostSpec, "name: it may hold letters, digits and . _ : -, and begins with a letter or a digit."),
        ({"name": ""}, HostSpec, "name: it must not be empty."),
        ({"name": "a", "port": "ssh"}, HostSpec, "port: wanted is a whole number."),
        ({"name": "a", "port": 99999}, HostSpec, "port: wanted is a whole number <= 65535."),
        ({"name": "a", "interval_seconds": 0.5}, HostSpec, "interval_seconds: wanted is a number >= 1."),
        ({**JOB, "window": "night"}, JobSpec, "window: it must be like 22:00-06:00."),
        ({**JOB, "keep": {"daily": "x"}}, JobSpec, "keep.daily: wanted is a whole number."),
        ({**JOB, "sources": [""]}, JobSpec, "sources: it must not be empty."),
        ({**JOB, "colour": 1}, JobSpec, "Object contains unknown field `colour`."),
        ({"name": "web"}, JobSpec, "`host` must be given."),
        ({"name": "v", "engine": "tar", "location": "/", "host": "a"}, RepositorySpec, "engine: Invalid enum value 'tar'."),
        ({"name": "v", "kind": "http", "period_seconds": 0}, CheckSpec, "period_seconds: wanted is a number >= 1."),
    ],
)  # fmt: skip
def test_the_field_is_named_and_what_it_may_be(fields: dict[str, Any], kind: type, said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(fields, kind, strict=False)
    assert told(refused.value) == said
    assert why_refused(refused.value)[0] == (said.partition(":")[0] if ": " in said[:20] else "")
    assert "regex" not in said and "$" not in said
