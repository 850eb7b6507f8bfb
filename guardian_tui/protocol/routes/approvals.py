"""Routes of approvals."""

from __future__ import annotations

from guardian_tui.protocol import approvals
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.routes.route import Route

APPROVALS: tuple[Route, ...] = (
    Route("approvals.list", "GET", "/v1/approvals", "approvals.see", Nothing, approvals.ApprovalList,
          "Orders that wait for another person, and those that lately did.", scoping="rows"),
    Route("approvals.show", "GET", "/v1/approvals/{approval}", "approvals.see", approvals.ApprovalRef, approvals.Approval,
          "One of them: what would be done, and what was said of it.", scoping="host"),
    Route("approvals.approve", "POST", "/v1/approvals/{approval}/approve", "approvals.give", approvals.GiveApproval, approvals.Approval,
          "Approve what another person is about to do.", "local", scoping="host", step_up=True),
    Route("approvals.refuse", "POST", "/v1/approvals/{approval}/refuse", "approvals.give", approvals.GiveApproval, approvals.Approval,
          "Refuse what another person asked for.", "local", scoping="host"),
    Route("approvals.go", "POST", "/v1/approvals/{approval}/go", "approvals.see", approvals.ApprovalRef, approvals.Approval,
          "Carry out what you asked for and another person approved.", "remote", scoping="host", told=("approval",), step_up=True),
)  # fmt: skip
