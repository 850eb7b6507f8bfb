"""Commands on backups: jobs, repositories, runs, proofs, restores."""

from __future__ import annotations

from guardian_tui.ordinary.part import CommandPart, clock_words
from guardian_tui.protocol.backups import (
    CheckRepository,
    EditJob,
    EditRepository,
    JobDetail,
    JobRef,
    JobRow,
    JobSpec,
    RepositoryDetail,
    RepositoryRef,
    RepositoryRow,
    RepositorySpec,
    RetentionPlan,
    RunRef,
    RunRow,
    SnapshotList,
    SnapshotsQuery,
)
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import SecretSet
from guardian_tui.text import counted, safe
from screens.backup import BackupScreen
from screens.backups import BackupsScreen
from screens.choice import ChoiceDialog
from screens.dialogs import ConfirmDialog
from screens.edit_backup import EditJobDialog, EditRepositoryDialog
from screens.found import FoundScreen
from screens.growth import GrowthDialog
from screens.moment import restore_to_a_moment
from screens.reports import ReportDialog
from screens.repository import RepositoryScreen
from screens.restore import RestoreScreen
from screens.run_log import RunLogScreen
from widgets.snapshots_list import point_words, when

MOMENT_ENGINES = frozenset({"pgbackrest"})
"""Those that bring a database back to any moment of a window."""
RUN_SCREENS = (BackupsScreen, BackupScreen, RepositoryScreen, RunLogScreen)


class BackupCommands(CommandPart):
    """What can be done with backups."""

    def _job(self, arguments: tuple[str, ...]) -> JobRow | None:
        """The job named, or the one in front."""
        app = self._app
        if arguments:
            row = next(
                (job for job in app.world.backups.values() if arguments[0] in (job.name, job.id)), None
            )
            if row is None:
                app.say(f"There is no backup job {arguments[0]}.", severity="error")
            return row
        row = (
            app.screen.job
            if isinstance(app.screen, BackupsScreen | BackupScreen | RepositoryScreen)
            else None
        )
        if row is None:
            app.say("Put the cursor on a job first, or name one.", severity="warning")
        return row

    def _repository(self, arguments: tuple[str, ...]) -> RepositoryRow | None:
        app = self._app
        if arguments:
            row = next(
                (one for one in app.world.repositories.values() if arguments[0] in (one.name, one.id)), None
            )
            if row is None:
                app.say(f"There is no repository {arguments[0]}.", severity="error")
            return row
        row = app.screen.repository if isinstance(app.screen, BackupsScreen | RepositoryScreen) else None
        if row is None:
            app.say("Put the cursor on a repository first, or name one.", severity="warning")
        return row

    def command_go_backups(self, arguments: tuple[str, ...]) -> None:
        """`g 3`, `:backups [FILTER]`."""
        self._go_list("backups", arguments)

    # --- runs -----------------------------------------------------------------------------------------

    def command_backup_run(self, arguments: tuple[str, ...]) -> None:
        """`r`."""
        row = self._job(arguments)
        if row is not None:
            self._app.order("backups.run", RunRow, JobRef(job=row.name), f"{row.name}: the backup is queued.")

    def command_backup_drill(self, arguments: tuple[str, ...]) -> None:
        """`D`."""
        row = self._job(arguments)
        if row is not None:
            self._app.order(
                "backups.drill",
                RunRow,
                JobRef(job=row.name),
                f"{row.name}: the drill is queued. It restores to a temporary folder and compares.",
            )

    def command_backup_cancel(self, arguments: tuple[str, ...]) -> None:
        """`x`."""
        app = self._app
        run = app.screen.run if isinstance(app.screen, RUN_SCREENS) else None
        if run is None or run.state not in ("queued", "running"):
            app.say("Put the cursor on a run that is under way.", severity="warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                app.order(
                    "backups.cancel",
                    RunRow,
                    RunRef(run=run.id),
                    f"The {run.operation} of {run.job or run.repository} is ended.",
                )

        lines = [
            f"The {run.operation} of {safe(run.job or run.repository, 60)} on {safe(run.host, 100)} is ended, with all that it started there.",
            "What it has written stays in the repository until it is pruned; it counts for nothing.",
        ]
        app.push_screen(ConfirmDialog("end the run", lines), answered)

    # --- jobs -----------------------------------------------------------------------------------------

    def command_backup_add(self, arguments: tuple[str, ...]) -> None:
        """`n`."""
        app = self._app
        hosts, _ = self._subjects()
        names = sorted(one.name for one in app.world.repositories.values())
        if not names:
            app.say("Add a repository first: it is where backups are kept.", severity="warning")
            self.command_repository_add(())
            return

        def entered(spec: JobSpec | None) -> None:
            if spec is not None:
                app.order(
                    "backups.add", JobRow, spec, lambda row: app.say(f"{row.name} is backed up from now on.")
                )

        app.push_screen(EditJobDialog(host=hosts[0].name if hosts else "", repository=names[0]), entered)

    def _repository_in_front(self, arguments: tuple[str, ...]) -> bool:
        """Whether what is in front is a repository, and no job is named."""
        screen = self._app.screen
        if arguments or not isinstance(screen, BackupsScreen | RepositoryScreen):
            return False
        return screen.repository is not None and (isinstance(screen, RepositoryScreen) or screen.job is None)

    def command_backup_edit(self, arguments: tuple[str, ...]) -> None:
        """`e`: the job in front, or the repository."""
        if self._repository_in_front(arguments):
            self.command_repository_edit(())
            return
        row = self._job(arguments)
        if row is not None:
            self._app.order("backups.show", JobDetail, JobRef(job=row.name), self._edit_job)

    def _edit_job(self, detail: JobDetail) -> None:
        def entered(spec: JobSpec | None) -> None:
            if spec is not None:
                order = EditJob(job=detail.spec.name, spec=spec, before=detail.spec)
                self._app.order(
                    "backups.edit", JobRow, order, lambda row: self._app.say(f"{row.name} is changed.")
                )

        self._app.push_screen(EditJobDialog(detail.spec), entered)

    def command_backup_remove(self, arguments: tuple[str, ...]) -> None:
        """`del`: the job in front, or the repository."""
        if self._repository_in_front(arguments):
            self.command_repository_remove(())
            return
        row = self._job(arguments)
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.order(
                    "backups.remove", Done, JobRef(job=row.name), f"{row.name} is no longer backed up."
                )

        lines = [
            f"{safe(row.name, 60)} on {safe(row.host, 100)} is no longer backed up, and its alerts end. A run that is under way is ended.",
            f"Its {counted(row.snapshots, 'snapshot')} in {safe(row.repository, 60)} stay there, and nobody judges them.",
        ]
        self._app.push_screen(ConfirmDialog("remove the backup", lines, typed=row.name), answered)

    # --- restores -------------------------------------------------------------------------------------

    def command_backup_restore(self, arguments: tuple[str, ...]) -> None:
        """`R`: of the snapshot under the cursor; where there is none, which one is asked.  A database whose log is archived: to a moment."""
        row = self._job(arguments)
        if row is None:
            return
        if row.engine in MOMENT_ENGINES:
            self._app.run_worker(
                restore_to_a_moment(self._app, row), group="moment", exclusive=True, exit_on_error=False
            )
            return
        screen = self._app.screen
        wanted = screen.snapshot_id if isinstance(screen, BackupScreen) and not arguments else ""

        def listed(found: SnapshotList) -> None:
            known = {one.id: one for one in found.snapshots}

            def picked(id: str | None) -> None:
                if id is not None:
                    self._app.push_screen(RestoreScreen(row, known[id]))

            if not known:
                self._app.say(f"{row.name} has no snapshot to restore from.", severity="error")
            elif wanted in known:
                self._app.push_screen(RestoreScreen(row, known[wanted]))
            else:
                now = self._app.world.now()
                points = [(one.id, when(one.at, now), point_words(one, now)) for one in found.snapshots]
                self._app.push_screen(ChoiceDialog(f"restore {row.name} as it was", points), picked)

        self._app.order("backups.snapshots", SnapshotList, SnapshotsQuery(job=row.name, limit=1000), listed)

    def command_restore_go(self, arguments: tuple[str, ...]) -> None:
        """Only on the screen of a restore."""

    # --- retention and proofs -------------------------------------------------------------------------

    def command_backup_retain(self, arguments: tuple[str, ...]) -> None:
        """`F`: shows first what would be forgotten."""
        row = self._job(arguments)
        if row is not None:
            self._app.say(f"{row.name}: asking its repository what the policy would forget…")
            self._app.order(
                "backups.retention", RetentionPlan, JobRef(job=row.name), lambda plan: self._retain(row, plan)
            )

    def _retain(self, row: JobRow, plan: RetentionPlan) -> None:
        lines = [
            (f"{row.name} on {row.host}, in the repository {row.repository}:", ""),
            (_retention_words(plan), "strong"),
        ]
        if plan.frozen:
            lines.append((f"Nothing is forgotten now: {plan.frozen}.", "error"))
        lines += [(f"− {clock_words(one.at)}  {one.id[:12]}", "error") for one in plan.forgotten[:60]]
        possible = bool(plan.forgotten) and not plan.frozen

        def answered(yes: bool | None) -> None:
            if yes and possible:
                words = f"{row.name}: what the policy does not keep is being forgotten."
                self._app.order("backups.retain", RunRow, JobRef(job=row.name), words)

        self._app.push_screen(
            ReportDialog(f"retention of {row.name}", lines, accept="forget them" if possible else ""),
            answered,
        )

    def command_backup_growth(self, arguments: tuple[str, ...]) -> None:
        """`:growth [JOB]`."""
        row = self._job(arguments)
        if row is not None:
            self._app.order("backups.show", JobDetail, JobRef(job=row.name), self._show_growth)

    def _show_growth(self, detail: JobDetail) -> None:
        self._app.push_screen(GrowthDialog(detail))

    def command_backups_copies(self, arguments: tuple[str, ...]) -> None:
        """`:copies [FILTER]`: the list of copies, from anywhere."""
        app = self._app
        app.go("backups")
        # the list, whatever page was left open over it
        app.go("backups")

        def opened() -> None:
            if isinstance(app.screen, BackupsScreen):
                app.screen.command_backups_copies(arguments)

        app.call_after_refresh(opened)

    def command_backups_discover(self, arguments: tuple[str, ...]) -> None:
        """`O`, `:discover [HOST]`: without a host in front, which one is asked."""
        app = self._app
        hosts, _ = self._subjects()
        if arguments or hosts:
            row = self._host(arguments)
            if row is not None:
                app.push_screen(FoundScreen(row.name))
            return

        def picked(name: str | None) -> None:
            if name is not None:
                app.push_screen(FoundScreen(name))

        names = sorted(row.name for row in app.world.hosts.values())
        app.push_screen(ChoiceDialog("look for backups on", [(name, name, "") for name in names]), picked)

    # --- repositories ---------------------------------------------------------------------------------

    def command_repository_add(self, arguments: tuple[str, ...]) -> None:
        """`N`."""
        hosts, _ = self._subjects()
        own = next((row.name for row in self._app.world.hosts.values() if row.id == "local"), "")
        self._app.push_screen(
            EditRepositoryDialog(host=hosts[0].name if hosts else own),
            lambda answer: self._keep_repository(answer, None),
        )

    def command_repository_edit(self, arguments: tuple[str, ...]) -> None:
        """`:repository-edit`."""
        row = self._repository(arguments)
        if row is not None:

            def shown(detail: RepositoryDetail) -> None:
                self._app.push_screen(
                    EditRepositoryDialog(detail.spec),
                    lambda answer: self._keep_repository(answer, detail.spec),
                )

            self._app.order("repositories.show", RepositoryDetail, RepositoryRef(repository=row.name), shown)

    def _keep_repository(
        self, answer: tuple[RepositorySpec, str] | None, before: RepositorySpec | None
    ) -> None:
        if answer is not None:
            self._app.run_worker(self._send_repository(*answer, before), group="orders", exit_on_error=False)

    async def _send_repository(
        self, spec: RepositorySpec, password: str, before: RepositorySpec | None
    ) -> None:
        app = self._app
        try:
            if password:
                await app.ask("secrets.set", Done, SecretSet(name=f"backups/{spec.name}", value=password))
            if before is None:
                await app.ask("repositories.add", RepositoryRow, spec)
            elif spec != before or not password:
                order = EditRepository(repository=before.name, spec=spec, before=before)
                await app.ask("repositories.edit", RepositoryRow, order)
        except GuardianError as error:
            app.say_error(error)
        else:
            app.say(f"{spec.name} is read now. If it is not there yet, :repository-make makes it.")

    def command_repository_make(self, arguments: tuple[str, ...]) -> None:
        """`:repository-make`."""
        row = self._repository(arguments)
        if row is not None:
            self._app.order(
                "repositories.make", RunRow, RepositoryRef(repository=row.name), f"{row.name} is being made."
            )

    def command_repository_read(self, arguments: tuple[str, ...]) -> None:
        """`u`."""
        row = self._repository(arguments)
        if row is not None:
            self._app.order(
                "repositories.read", RepositoryRow, RepositoryRef(repository=row.name),
                lambda now: self._app.say(f"{now.name}: {now.verdict}. {now.words} {now.advice}"),
            )  # fmt: skip

    def command_repository_check(self, arguments: tuple[str, ...]) -> None:
        """`V`: `structure`, `sample` or `all` may follow."""
        levels = [word for word in arguments if word in ("structure", "sample", "all")]
        row = self._repository(tuple(word for word in arguments if word not in levels))
        if row is not None:
            order = CheckRepository(repository=row.name, level=levels[0] if levels else "sample")  # type: ignore[arg-type]  # one of the three
            self._app.order("repositories.check", RunRow, order, f"{row.name}: the check is queued.")

    def command_repository_unlock(self, arguments: tuple[str, ...]) -> None:
        """`:repository-unlock`."""
        row = self._repository(arguments)
        if row is not None:
            self._app.order(
                "repositories.unlock",
                RunRow,
                RepositoryRef(repository=row.name),
                f"{row.name}: stale locks are being removed.",
            )

    def command_repository_remove(self, arguments: tuple[str, ...]) -> None:
        """`:repository-remove`."""
        row = self._repository(arguments)
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.order(
                    "repositories.remove",
                    Done,
                    RepositoryRef(repository=row.name),
                    f"{row.name} is no longer looked at.",
                )

        self._app.push_screen(
            ConfirmDialog(
                "forget the repository",
                [
                    f"{safe(row.name, 60)} ({row.engine}, {safe(row.location, 200)}, read by {safe(row.host, 100)}) is no longer looked at.",
                    f"Nothing in it is touched: its {counted(row.snapshots, 'snapshot')} stay.",
                ],
            ),
            answered,
        )


def _retention_words(plan: RetentionPlan) -> str:
    kept = f"{counted(plan.kept, 'snapshot')} {'is' if plan.kept == 1 else 'are'} kept"
    return (
        f"{kept}, {len(plan.forgotten)} would be forgotten."
        if plan.forgotten
        else f"{kept}: nothing would be forgotten."
    )
