"""The shipped rules over backups: judged from what is in the repositories."""

from __future__ import annotations

from guardian_tui.engine.alerts.rule_kinds import HOUR, MINUTE, MetricRule, Term, one, two

BACKUP_RULES: tuple[MetricRule, ...] = (
    two(
        "backup_stale",
        "Backup stale",
        ("notify", "page"),
        Term("backup_age_ratio", ">", 1.0),
        Term("backup_age_ratio", ">", 2.0),
        why="the newest good snapshot is as old as {value} of its RPO",
    ),
    one(
        "backup_run_failed",
        "Backup failed",
        "notify",
        Term("backup_failed", ">", 0.5),
        why="the last run was not all good",
    ),
    one(
        "backup_anomaly",
        "Backup unlike those before",
        "notify",
        Term("backup_anomaly", ">", 0.5),
        why="its size, files or added data are outside of the usual; nothing is forgotten meanwhile",
    ),
    one(
        "backup_copy_failed",
        "Copy of a backup failed",
        "notify",
        Term("backup_copy_failed", ">", 0.5),
        why="the last copy to one of its other repositories was not all good",
    ),
    two(
        "backup_copy_stale",
        "Copy of a backup stale",
        ("notify", "notify"),
        Term("backup_copy_lag_ratio", ">", 1.0),
        Term("backup_copy_lag_ratio", ">", 2.0),
        wait=(HOUR, HOUR),
        why="the newest good snapshot is newer than the newest copy of one by {value} of the RPO",
    ),
    one(
        "backup_unreadable",
        "Repository of backups can't be read",
        "notify",
        Term("backup_unreadable", ">", 0.5),
        wait=20 * MINUTE,
        why="nothing could be restored from it now, or nothing is known of what it holds",
    ),
    two(
        "backup_space",
        "Repository of backups full soon",
        ("notify", "notify"),
        Term("backup_space_trouble", ">", 0.5),
        Term("backup_space_trouble", ">", 1.5),
        wait=(HOUR, HOUR),
        why="if it grows on like this it is full within a month, or a week",
    ),
    one(
        "backup_timer",
        "Timer of a backup not as it is to be",
        "show",
        Term("backup_timer_trouble", ">", 0.5),
        wait=15 * MINUTE,
        why="its host does not begin it by itself; the job's page says why",
    ),
    two(
        "restore_drill",
        "Restore drill overdue or failed",
        ("notify", "notify"),
        Term("backup_drill_trouble", ">", 0.5),
        Term("backup_drill_trouble", ">", 1.5),
        why="the ledger of drills says so",
    ),
)
