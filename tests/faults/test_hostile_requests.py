"""What a client sends that means ill, or nothing: each route refuses it in words, none fails, and nobody else is held up."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec import inspect

from guardian_tui.config import AuditSettings, Settings, StoreSettings
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.routes import ROUTES, Route
from guardian_tui.protocol.system import Hello
from tests.support.console import House, house

TEXTS = (
    "", " ", "nope", "x" * 4000, "\0", "a\0b", "\x1b]52;c;aGk=\x07", "[@click=app.quit]x", "[/]", "../../etc/passwd", "' OR 1=1 --", "%s%n",
    "\u202eabc", "\U0001f600", "0", "-1", "nan", "inf", "1e309", "null", "a=b", "=", "&&", "(", "*", "\\", '"', "/", "9" * 400, "2026-02-30",
    "SHA256:x", "\n", "é" * 300, "env:PATH", "secret:x", "keyring:", "state=down",
)  # fmt: skip
FITTING = ("web-1", "/tmp/x", "22:00-06:00", "SHA256:" + "a" * 43, "http://127.0.0.1:1/", "secret:x")
"""For fields that want a certain form."""
NUMBERS = (0, 1, -1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 255, 1.5, 1e308, -1e308, 5e-324, 4e9)
WRONG = (
    None,
    True,
    -1,
    1.5,
    "x",
    [],
    {},
    [[[[]]]],
    {"a": {"a": {}}},
    2**70,
    "\0",
    -1e308,
    "nan",
    "inf",
    "-inf",
)
BODIES = (
    b"[" * 20_000 + b"]" * 20_000, b'{"a":' * 5000, b"\xff\xfe", b"[]", b"null", b'"x"', b'{"name":"\\ud800"}', b'{"a":NaN}', b'{"a":1e999}',
    b'{"a":1,"a":2}', b'{"' + b"k" * 50_000 + b'":1}', b"--x\r\ncontent-disposition: form-data",
)  # fmt: skip
LEFT_OUT = frozenset(
    {
        "engine.stop",
        "logout",
        "session.lock",
        "events",
        "password.change",
        "recovery.renew",
        "vault.add_keyring",
    }
)
"""They end what asks on, or never end, or write where the person who runs this keeps their own."""
ALWAYS = frozenset({"address", "port"})
"""Fields that are always given, so that nobody outside is asked, nor what listens here."""


class Teller:
    """Makes requests of every form that the route table has, with what is hostile in each place."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # the same each time

    def fields(self, route: Route) -> dict[str, Any]:
        """A request of the right types."""
        made: dict[str, Any] = self._value(inspect.type_info(route.request), "")
        return made

    def spoiled(self, route: Route, fields: dict[str, Any]) -> dict[str, Any]:
        """The same with one field of any type."""
        info = inspect.type_info(route.request)
        assert isinstance(info, inspect.StructType)
        if not info.fields:
            return {"no_such_field": 1}
        return {**fields, self._rng.choice(info.fields).encode_name: self._rng.choice(WRONG)}

    def _value(self, kind: inspect.Type, name: str) -> Any:  # Any: JSON values
        rng = self._rng
        match kind:
            case inspect.UnionType():
                return self._value(rng.choice(kind.types), name)
            case inspect.StructType():
                tag = {kind.tag_field: kind.tag} if kind.tag_field else {}
                given = [
                    f for f in kind.fields if f.required or f.encode_name in ALWAYS or rng.random() < 0.6
                ]
                return tag | {f.encode_name: self._value(f.type, f.encode_name) for f in given}
            case inspect.DictType():
                return {
                    str(self._value(kind.key_type, "")): self._value(kind.value_type, "") for _ in range(rng.choice((0, 1, 2)))
                }  # fmt: skip
            case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
                return [self._value(kind.item_type, name) for _ in range(rng.choice((0, 1, 1, 3)))]
            case inspect.LiteralType():
                return rng.choice(kind.values)
            case inspect.BoolType():
                return rng.random() < 0.5
            case inspect.NoneType():
                return None
            case inspect.IntType() if name == "port":
                return 1
            case inspect.IntType() | inspect.FloatType():
                return self._number(kind)
            case inspect.StrType():
                return self._text(kind, name)
            case _:
                return rng.choice(WRONG)

    def _number(self, kind: inspect.IntType | inspect.FloatType) -> float:
        low = max((bound for bound in (kind.ge, kind.gt) if bound is not None), default=-(2**64))
        high = min((bound for bound in (kind.le, kind.lt) if bound is not None), default=2**64)
        whole = isinstance(kind, inspect.IntType)
        fits = [n for n in (*NUMBERS, low, high) if low <= n <= high and (not whole or int(n) == n)]
        chosen = self._rng.choice(fits)
        return int(chosen) if whole else chosen

    def _text(self, kind: inspect.StrType, name: str) -> str:
        if name == "address":
            # nobody outside is asked for
            return self._rng.choice(("127.0.0.1", "::1", "\0", "[::1]", "a" * 253, "127.0.0.1%lo"))
        low, high = kind.min_length or 0, kind.max_length or 5000
        fits = [
            text for text in (*TEXTS, *FITTING)
            if low <= len(text) <= high and (not kind.pattern or re.search(kind.pattern, text))
        ]  # fmt: skip
        return self._rng.choice(fits or FITTING)


async def give(
    one: House, route: Route, fields: dict[str, Any], body: bytes | None = None
) -> tuple[int, str]:
    """Status and text of the answer."""
    path, left = route.path, dict(fields)
    for name in re.findall(r"{(\w+)}", path):
        value = left.pop(name, "nope")
        path = path.replace(
            f"{{{name}}}", quote(value if isinstance(value, str) else json.dumps(value), safe="") or "x"
        )
    query = {}
    if route.method == "GET":
        query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in left.items()}
    elif body is None:
        body = json.dumps(left).encode()
    answer = await one.client._http.request(
        route.method,
        path,
        params=query,
        content=body,
        headers={"authorization": f"Bearer {one.client.token}"},
    )
    return answer.status_code, answer.text


async def assail(one: House, seed: int, rounds: int) -> Counter[int]:
    """Ask all routes for what they can't give; how often each status was the answer."""
    teller, statuses, faults = Teller(seed), Counter[int](), []

    async def say(route: Route, fields: dict[str, Any], body: bytes | None = None) -> None:
        status, text = await give(one, route, fields, body)
        statuses[status] += 1
        # a host that can't be reached is no fault of ours
        if status >= 500 and status != 502:
            faults.append((route.name, status, text, str(fields)[:500], (body or b"")[:50]))

    for number in range(rounds):
        for route in ROUTES.values():
            if route.raw or route.name in LEFT_OUT or (number and route.permission == "public"):
                continue
            fields = teller.fields(route)
            await say(route, fields)
            await say(route, teller.spoiled(route, fields))
    for body in BODIES:
        for name in ("login", "hosts.add", "checks.add", "runbooks.plan"):
            await say(ROUTES[name], {}, body)
    assert not faults, faults
    return statuses


@pytest.fixture
def settings(postgres_url: str) -> Settings:
    """On PostgreSQL, which takes fewer values than SQLite."""
    return Settings(store=StoreSettings(url=postgres_url), audit=AuditSettings(syslog=False))


async def test_no_request_makes_a_route_fail(tmp_path: Path, settings: Settings) -> None:
    async with house(tmp_path, settings) as one:
        await one.client.call("hosts.add", HostRow, HostSpec(name="web-1", address="127.0.0.1", port=1))
        statuses = await assail(one, seed=1, rounds=1)
        assert statuses[200] and statuses[400] and statuses[404]
        assert (await one.client.call("hello", Hello)).version


@pytest.mark.soak
async def test_no_request_of_very_many_makes_a_route_fail(tmp_path: Path, settings: Settings) -> None:
    async with house(tmp_path, settings) as one:
        for seed in range(2, 30):
            await assail(one, seed, rounds=6)


CASES = (
    ("hosts.maintenance", {"host": "local", "until": "-inf"}, "until: "),
    ("hosts.maintenance", {"host": "local", "until": "nan"}, "until: "),
    ("hosts.maintenance", {"host": "local", "until": -1e308}, "until: "),
    ("hosts.history", {"host": "local", "metric": "load1", "start": "nan", "end": 1}, "start: "),
    ("audit.list", {"before": 2**64 - 1}, "before: "),
    ("audit.export", {"first": 2**63}, "first: "),
    ("login", {"name": "a\0b", "password": "x", "code": "1"}, "NUL"),
    ("alerts.show", {"alert": "\0"}, "NUL"),
    ("hosts.add", {"name": "x", "labels": {"a\0": "b"}}, "NUL"),
)


async def test_numbers_that_are_none_and_texts_that_no_database_takes_are_refused(
    tmp_path: Path, settings: Settings
) -> None:
    async with house(tmp_path, settings) as one:
        for route, fields, words in CASES:
            status, text = await give(one, ROUTES[route], fields)
            assert (status, words in text) == (400, True), (route, text)
