"""Secrets that are planted in every place that takes one, and used where all fails: nothing that the engine writes or says holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyotp
import pytest

from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, SetUp
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.routes import ROUTES
from tests.support.engine import EngineProcess

# one place each; none is a word that stands anywhere else
HOOK, MAIL, SEALED_HOOK, SIGNING, HOST, REPOSITORY, DATABASE, WRONG, NAME, PASSWORD = (
    f"kanarienvogel-{place}-5417" for place in ("hook", "mail", "sealed", "sign", "host", "repo", "base", "wrong", "name", "own")
)  # fmt: skip
SETTINGS = f"""
[fleet]
interval_seconds = 1
[alerts.channels.hook]
kind = "webhook"
url = "http://127.0.0.1:1/services/{HOOK}?token={HOOK}"
[alerts.channels.mail]
kind = "smtp"
url = "smtp://127.0.0.1:1"
sender = "g@example.org"
to = ["ops@example.org"]
user = "guardian"
password = "env:TEST_MAIL_PASSWORD"
[alerts.channels.sealed]
kind = "webhook"
url = "secret:hook"
signing_secret = "secret:sign"
"""
LOCAL = {"host": "local", "where": "engine", "timeout_seconds": 2.0}
ORDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("secrets.set", {"name": name, "value": value}) for name, value in (
        ("hook", f"http://127.0.0.1:1/{SEALED_HOOK}"), ("sign", SIGNING), ("host", HOST), ("repo", REPOSITORY), ("base", DATABASE),
    )),
    ("secrets.set", {"name": "x", "value": [WRONG]}),
    ("secrets.set", {"name": "x", "value": "y", "more": WRONG}),
    ("hosts.add", {"name": "web-1", "address": "127.0.0.1", "port": 1, "user": "root", "credential": "secret:host"}),
    ("hosts.test", {"host": "web-1"}),
    *(("channels.test", {"channel": channel}) for channel in ("hook", "mail", "sealed")),
    ("checks.add", {**LOCAL, "name": "base", "kind": "postgresql", "params": {"address": "127.0.0.1", "port": 1, "user": "u", "password": "secret:base"}}),
    ("checks.add", {**LOCAL, "name": "cache", "kind": "redis", "params": {"address": "127.0.0.1", "port": 1, "password": "secret:base"}}),
    ("checks.run", {"check": "base"}),
    ("checks.run", {"check": "cache"}),
    ("checks.show", {"check": "base"}),
    ("repositories.add", {"name": "r", "engine": "restic", "location": "rest:http://127.0.0.1:1/", "host": "local", "secrets": {"RESTIC_PASSWORD": "secret:repo"}}),
    ("repositories.read", {"repository": "r"}),
    ("repositories.show", {"repository": "r"}),
    ("login", {"name": "ada", "password": WRONG, "code": "000000"}),
    # where a name was asked for
    ("login", {"name": NAME, "password": WRONG, "code": "000000"}),
    ("login", {"name": "ada", "password": {"a": WRONG}, "code": "000000"}),
    ("password.change", {"password": WRONG, "code": "000000", "new_password": WRONG + "-new"}),
    ("accounts.invite", {"name": "grace", "grants": [{"profile": "operator"}]}),
    ("enrol.begin", {"name": NAME, "enrolment_code": WRONG, "password": WRONG + " of mine"}),
    ("session", {}), ("sessions.list", {}), ("accounts.list", {}), ("vault.slots", {}), ("secrets.list", {}), ("channels.list", {}),
    ("hosts.list", {}), ("alerts.list", {}), ("audit.list", {}), ("audit.export", {}), ("engine.figures", {}),
)  # fmt: skip


async def said(engine: EngineProcess, name: str, fields: dict[str, Any]) -> str:
    """What the engine answers to an order, be it a refusal."""
    route = ROUTES[name]
    path, left = route.path, dict(fields)
    for key in list(left):
        if f"{{{key}}}" in path:
            path = path.replace(f"{{{key}}}", left.pop(key))
    body = None if route.method == "GET" else msgspec.json.encode(left)
    answer = await engine.client._http.request(
        route.method, path, content=body, headers={"authorization": f"Bearer {engine.client.token}"}
    )
    return answer.text


async def test_no_secret_is_in_what_the_engine_writes_or_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_MAIL_PASSWORD", MAIL)
    engine = EngineProcess(tmp_path / "g", SETTINGS)
    try:
        await engine.start()
        begun = await engine.client.call("setup.begin", Enrolment, SetUp(name="ada", password=PASSWORD))
        code = pyotp.TOTP(begun.secret).now()
        order = ConfirmEnrolment(token=begun.token, code=code)
        mine = await engine.client.call("setup.confirm", Enrolled, order)
        engine.client.token = mine.session.token
        answers: dict[str, str] = {}
        for number, (name, fields) in enumerate(ORDERS):
            answers[f"{number} {name} {fields}"] = await said(engine, name, fields)
        with pytest.raises(GuardianError):
            await engine.client.call("setup.begin", Enrolment, SetUp(name="eve", password=WRONG))
        invited = next(text for order, text in answers.items() if " accounts.invite " in order)
        enrolment_code = msgspec.json.decode(invited)["enrolment_code"]
        answers = {order: text for order, text in answers.items() if " accounts.invite " not in order}
        assert engine.stop() == 0
    finally:
        await engine.client.close()
        if engine.process.poll() is None:
            engine.kill()
    secrets = {
        HOOK, MAIL, SEALED_HOOK, SIGNING, HOST, REPOSITORY, DATABASE, WRONG, NAME, PASSWORD, begun.secret, begun.token, mine.session.token,
        mine.recovery_key, enrolment_code, *mine.recovery_codes,
    } - {""}  # fmt: skip
    written = {
        str(file.relative_to(engine.home)): file.read_bytes()
        for file in engine.home.rglob("*")
        # the person's own file, where they wrote it
        if file.is_file() and file != engine.paths.settings_file
    }
    assert {"state/state.db", "state/engine.log", "state/audit/checkpoints.jsonl"} <= set(written)
    leaks = [(place, one) for place, data in written.items() for one in secrets if one.encode() in data]
    leaks += [(order, one) for order, text in answers.items() for one in secrets if one in text]
    assert not leaks
    # and they were used: what failed, failed by being tried
    told = "".join(answers.values())
    assert told.count("refuse") + told.count("refused") >= 3, told[:3000]
