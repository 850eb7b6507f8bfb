"""Orders on checks: `checks.*`."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets

from msgspec.structs import replace

from guardian_tui import filter as filters
from guardian_tui.engine.calls import Call, Handler, unless_changed
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.fleet.checks import records
from guardian_tui.engine.fleet.checks.check import Check
from guardian_tui.engine.fleet.checks.service import Checks, read_kind
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.inventory import LOCAL_ID
from guardian_tui.protocol import checks as wire
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.check_params import KindParams
from guardian_tui.protocol.errors import Conflict, InvalidRequest
from guardian_tui.rows import check_columns, check_text

SECRETS = "secret:checks/"
"""Secrets that a check made on screen may name."""


class CheckOrders:
    """Handlers of the checks' routes."""

    def __init__(self, checks: Checks, clock: Clock) -> None:
        self._checks = checks
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "checks.list": self.list_, "checks.show": self.show, "checks.add": self.add, "checks.edit": self.edit,
            "checks.remove": self.remove, "checks.run": self.run,
        }  # fmt: skip

    def _check(self, call: Call, name: str) -> Check:
        check = self._checks.named(name)
        call.host_in_scope(self._checks.labels_of(check) if check else None, f"the check {name[:60]!r}")
        assert check is not None  # noqa: S101  # host_in_scope has raised
        call.target = check.spec.name
        return check

    def _row(self, check: Check) -> wire.CheckRow:
        return check.row_of(self._checks.host_name(check))

    async def list_(self, call: Call, request: wire.ChecksQuery) -> wire.CheckList:
        """`checks.list`: those in scope that pass the filter, by name."""
        wanted = filters.parse(request.filter)
        seen = [check for check in self._checks.checks.values() if call.sees(self._checks.labels_of(check))]
        rows = [row for row in map(self._row, seen) if wanted.matches(check_columns(row), check_text(row))]
        return wire.CheckList(checks=tuple(sorted(rows, key=lambda row: row.name)))

    async def show(self, call: Call, request: wire.CheckRef) -> wire.CheckDetail:
        """`checks.show`: one check in full."""
        check = self._check(call, request.check)
        return check.detail(self._checks.host_name(check))

    async def add(self, call: Call, request: wire.CheckSpec) -> wire.CheckRow:
        """`checks.add`: check something from now on."""
        host = self._host(call, request.host)
        params = read_kind(request)
        self._must_be_free(request.name)
        _fits(host, request, params)
        spec = replace(request, host="" if host.id == LOCAL_ID else host.spec.name)
        now = self._clock.now()
        check = Check(secrets.token_hex(8), spec, params, host.id, "screen", now, since=now)
        async with call.change(spec.name, body={"host": host.spec.name, "kind": spec.kind}) as tx:
            await records.put(tx, check, new=True)
            tx.after_commit(lambda: self._checks.joined(check))
        return self._row(check)

    def _host(self, call: Call, name: str) -> Host:
        host = self._checks.host_named(name)
        what = f"the host {name[:60]!r}" if name else "this machine, as a watched host,"
        call.host_in_scope(host.labels if host else None, what)
        assert host is not None  # noqa: S101  # host_in_scope has raised
        return host

    def _must_be_free(self, name: str) -> None:
        if self._checks.named(name) is not None:
            raise Conflict(f"There is a check {name} already.", field="name")

    def _changeable(self, call: Call, name: str) -> Check:
        check = self._check(call, name)
        if check.source == "config":
            raise Conflict(f"The check {check.spec.name} stands in the config file; change it there.")
        return check

    async def edit(self, call: Call, request: wire.EditCheck) -> wire.CheckRow:
        """`checks.edit`: change what is given; its alerts are judged anew."""
        check = self._changeable(call, request.check)
        spec = _edited(check.spec, request)
        params = read_kind(spec)
        if spec.name != check.spec.name:
            self._must_be_free(spec.name)
        host = self._checks.host_of(check)
        if host is not None:
            _fits(host, spec, params)
        changed = dataclasses.replace(
            check, spec=spec, params=params, state="waiting", since=self._clock.now(), words="", measured_at=None, seconds=None,
            figures=(), failures=0, troubled=0, good=0, trouble=0, row=None, memory={},
        )  # fmt: skip
        async with call.change(spec.name, body={"kind": spec.kind, "enabled": spec.enabled}) as tx:
            unless_changed(self._checks.checks.get(check.id), check, check.spec.name)
            await records.put(tx, changed, new=False)

            def done() -> None:
                self._checks.left(check)
                self._checks.joined(changed)

            tx.after_commit(done)
        return self._row(changed)

    async def remove(self, call: Call, request: wire.CheckRef) -> Done:
        """`checks.remove`: check it no longer."""
        check = self._changeable(call, request.check)
        async with call.change(check.spec.name) as tx:
            unless_changed(self._checks.checks.get(check.id), check, check.spec.name)
            await records.remove(tx, [check.id])
            tx.after_commit(lambda: self._checks.left(check))
        return Done()

    async def run(self, call: Call, request: wire.CheckRef) -> wire.CheckDetail:
        """`checks.run`: make it now, and answer what came of it."""
        check = self._check(call, request.check)
        if check.problem:
            raise Conflict(f"It can't be made: {check.problem}.")
        if not check.spec.enabled:
            raise Conflict(f"The check {check.spec.name} is switched off.")
        await asyncio.shield(self._checks.run(check))
        return check.detail(self._checks.host_name(check))


def _fits(host: Host, spec: wire.CheckSpec, params: KindParams) -> None:
    for name in ("password", "authorization"):
        reference = getattr(params, name, "")
        # else whoever may edit checks could have any secret sent to a server of his own
        if reference and not reference.startswith(SECRETS):
            raise InvalidRequest(
                f"A check's secret is one of the vault whose name begins with checks/: {SECRETS}NAME. Others can only be"
                " named in the config file.",
                field=f"params.{name}",
            )
    if host.target is None and spec.where == "forward":
        raise InvalidRequest("This machine needs no forward: make the check from the engine.", field="where")


def _edited(spec: wire.CheckSpec, request: wire.EditCheck) -> wire.CheckSpec:
    """The specification with what the order gives; a parameter given empty goes back to its default."""
    given = {
        name: value
        for name in ("name", "where", "period_seconds", "timeout_seconds", "labels", "enabled")
        if (value := getattr(request, name)) is not None
    }
    if request.params is not None:
        merged = {**spec.params, **request.params}
        given["params"] = {name: value for name, value in merged.items() if value not in ("", [])}
    return replace(spec, **given)
