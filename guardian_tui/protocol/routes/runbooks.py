"""Routes of runbooks."""

from __future__ import annotations

from guardian_tui.protocol import runbooks
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.routes.route import Route

RUNBOOKS: tuple[Route, ...] = (
    Route("runbooks.list", "GET", "/v1/runbooks", "runbooks.see", runbooks.RunbooksQuery, runbooks.RunbookList, "The library of runbooks."),
    Route("runbooks.show", "GET", "/v1/runbooks/{runbook}", "runbooks.see", runbooks.RunbookRef, runbooks.RunbookDetail, "One runbook in full."),
    Route("runbooks.reload", "POST", "/v1/runbooks-reload", "runbooks.manage", Nothing, runbooks.RunbookList,
          "Read the library again now.", "local", scoping="whole"),
    Route("runbooks.plan", "POST", "/v1/runbooks/{runbook}/plan", "runbooks.run", runbooks.RunbookOrder, runbooks.RunbookPlan,
          "What a run would do, on which hosts, as whom.", scoping="host"),
    Route("runbooks.try", "POST", "/v1/runbooks/{runbook}/try", "runbooks.run", runbooks.RunbookOrder, runbooks.RunbookDryRun,
          "A dry run: render everything, and run only what reads.", "remote", scoping="host", told=("runbook", "hosts")),
    Route("runbooks.run", "POST", "/v1/runbooks/{runbook}/run", "runbooks.run", runbooks.StartRunbook, runbooks.RunbookRun,
          "Begin a run.", "local", scoping="host"),
    Route("runbooks.runs", "GET", "/v1/runbook-runs", "runbooks.see", runbooks.RunbookRunsQuery, runbooks.RunbookRunList,
          "Runs, the newest first.", scoping="rows"),
    Route("runbooks.follow", "GET", "/v1/runbook-runs/{run}", "runbooks.see", runbooks.RunbookRunRef, runbooks.RunbookRunDetail,
          "One run in full.", scoping="host"),
    Route("runbooks.preview", "GET", "/v1/runbook-runs/{run}/preview", "runbooks.see", runbooks.RunbookRunRef, runbooks.RunbookPreview,
          "A dry run from where a run stands: what would run now; nothing is run.", scoping="host"),
    Route("runbooks.watch", "POST", "/v1/runbook-runs/{run}/watch", "runbooks.see", runbooks.WatchRun, runbooks.RunbookWatchers,
          "Say for a while that you look on at a run; answers who does.", scoping="host"),
    Route("runbooks.answer", "POST", "/v1/runbook-runs/{run}/answer", "runbooks.run", runbooks.AnswerRunbook, runbooks.RunbookRun,
          "Answer what a run asks: go on, skip, retry, go back, choose.", "local", scoping="host"),
    Route("runbooks.approve", "POST", "/v1/runbook-runs/{run}/approve", "runbooks.approve", runbooks.ApproveRunbook, runbooks.RunbookRun,
          "Approve what another person's run is about to do, or refuse it.", "local", scoping="host", step_up=True),
    Route("runbooks.stop", "POST", "/v1/runbook-runs/{run}/stop", "runbooks.run", runbooks.StopRunbook, runbooks.RunbookRun,
          "Stop a run.", "local", scoping="host"),
    Route("runbooks.hand_over", "POST", "/v1/runbook-runs/{run}/leader", "runbooks.run", runbooks.HandOver, runbooks.RunbookRun,
          "Let another person lead a run, or take it.", "local", scoping="host"),
    Route("runbooks.output", "GET", "/v1/runbook-runs/{run}/output", "runbooks.see", runbooks.RunbookOutputQuery, runbooks.RunbookOutput,
          "Output of a run, whole.", scoping="host"),
    Route("runbooks.transcript", "GET", "/v1/runbook-runs/{run}/transcript", "runbooks.see", runbooks.TranscriptQuery, runbooks.Transcript,
          "Who did what when, and what came of it.", scoping="host"),
    Route("runbooks.search", "GET", "/v1/runbook-search", "runbooks.see", runbooks.SearchRunbooks, runbooks.RunbookMatches,
          "Find words in all runs.", scoping="rows"),
)  # fmt: skip
