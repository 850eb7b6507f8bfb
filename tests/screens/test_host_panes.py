"""What changed on a host, as lines: newest first, each with its kind, and nothing of the outside but harmless text."""

from __future__ import annotations

from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.changes import Change
from screens.host_panes import changed_lines
from tests.widgets.fleet_app import NOW


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
