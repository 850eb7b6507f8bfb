"""What changed on a host, as lines: newest first, each with its kind, and nothing of the outside but harmless text."""

from __future__ import annotations

from msgspec.structs import replace

from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.changes import Change
from screens.host import HostScreen
from screens.host_panes import changed_lines
from tests.support.canned import canned
from tests.support.console import until
from tests.widgets.fleet_app import NOW
from widgets.box import Box
from widgets.state_line import StateLine


def words(lines: list) -> list[str]:
    return [" ".join("".join(text for text, _ in line).split()) for line in lines]


def event(at: float, action: str, outcome: str = "ok") -> AuditEvent:
    return AuditEvent(
        seq=1, time_ms=int(at * 1000), actor="ops-1", action=action, target="web-1", outcome=outcome, session="", peer_uid=0, body="{}", hash=""
    )  # fmt: skip


def test_changes_and_orders_stand_in_one_list_newest_first() -> None:
    changes = [Change("h", NOW - 50, "unit", "nginx failed"), Change("h", NOW - 10, "mark", "shop 2", "ci")]
    found = words(
        changed_lines(
            changes, [], [event(NOW - 30, "units.control"), event(NOW - 20, "hosts.edit", "denied")], NOW, 90
        )
    )
    assert [line.split(" ", 2)[2] for line in found] == [
        "shop 2 by ci", "hosts.edit (denied) by ops-1", "units.control by ops-1", "nginx failed"
    ]  # fmt: skip


def test_hostile_words_of_a_change_are_harmless_and_fit() -> None:
    (line,) = changed_lines(
        [Change("h", NOW - 5, "drift", "\x1b]52;c;aGk=\x07[@click=app.quit]\u202e" + "x" * 500)],
        [],
        [],
        NOW,
        60,
    )
    text = "".join(part for part, _ in line)
    assert text.isprintable() and len(text) <= 61


async def test_figures_of_a_host_that_is_asked_no_more_are_faint_and_say_how_old_they_are() -> None:
    async with canned((120, 40)) as (app, _pilot, _client):
        row = next(one for one in app.world.hosts.values() if one.state == "up")
        app.world.hosts[row.id] = replace(row, measured_at=NOW)
        app.open_host(row.id)
        await until(lambda: isinstance(app.screen, HostScreen) and app.screen._detail is not None)
        gauges = app.screen.query_one("#gauges", Box)
        assert "old" not in gauges.caption
        why = "Its key changed to SHA256:Pqi4qdIPGsKJ+6idtmDlAUUP9GKnRXqsk7V+zwkshd8; pinned is another one, and so on"
        app.world.hosts[row.id] = replace(row, state="down", why=why, measured_at=NOW - 180)
        app._tick()
        for name in ("gauges", "disks", "network"):
            box = app.screen.query_one(f"#{name}", Box)
            assert box.caption.endswith("3m old")
            assert {paint for line in box._lines for _, paint in line} == {"faint"}
        assert "STALE: measured 3m ago" in app.screen.query_one("#state", StateLine).render_line(0).text
