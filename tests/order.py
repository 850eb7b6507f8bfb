"""What begins first, so that both cores have work to the end: a long module that begins last keeps one of them waiting."""

from __future__ import annotations

LONGEST_FIRST = (
    "demo/test_script.py",
    "faults/test_store_under_engine.py",
    "faults/test_hostile_text.py",
    "e2e/test_newcomer.py",
    "faults/test_at_scale.py",
    "screens/test_pictures.py",
    "screens/test_runbooks.py",
    "e2e/test_runbooks_led.py",
    "screens/test_runbook_console.py",
    "faults/test_kills.py",
    "alerts/test_delivery.py",
    "screens/test_console.py",
    "screens/test_backups.py",
    "screens/test_repository.py",
    "remote/test_detached.py",
    "audit/test_tamper.py",
    "demo/test_demo.py",
    "fleet/test_machine.py",
    "screens/test_many.py",
    "backups/test_pgbackrest.py",
    "backups/test_point_in_time.py",
    "backups/test_restic_repository.py",
    "backups/test_restic.py",
    "backups/test_timers.py",
    "backups/test_moments.py",
    "backups/test_dump_drills.py",
    "backups/test_at_scale.py",
    "backups/test_dumping.py",
    "backups/test_resisting.py",
    "backups/test_over_http.py",
    "backups/test_carried.py",
    "faults/test_broken_hosts.py",
    "faults/test_cut_off.py",
    "faults/test_two_engines.py",
    "access/test_login.py",
    "remote/test_trust.py",
    "alerts/test_service.py",
    "alerts/test_handlers.py",
    "client/test_meeting.py",
    "remote/test_real_sshd.py",
    "remote/test_doctor.py",
    "store/test_faults.py",
    "store/test_metrics.py",
    "store/test_watch.py",
    "cli/test_cli.py",
    "runbooks/test_many.py",
    "runbooks/test_kills.py",
    "runbooks/test_over_ssh.py",
    "runbooks/test_path.py",
    "team/test_shared_engine.py",
    "approvals/test_hostile.py",
    "approvals/test_approvals.py",
    "team/test_unit.py",
    "checks/test_service.py",
    "checks/test_http.py",
)
"""Modules that take ten seconds or more on a quiet core, the longest first; all others come after them."""


def begins(nodeid: str) -> int:
    """The place of a test's module among the others."""
    return _PLACES.get(nodeid.partition("::")[0].removeprefix("tests/"), len(_PLACES))


_PLACES = {name: place for place, name in enumerate(LONGEST_FIRST)}
