"""Routes of people, their sessions."""

from __future__ import annotations

from guardian_tui.protocol import access
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.routes.route import PUBLIC, SELF, Route

PEOPLE: tuple[Route, ...] = (
    Route("setup.begin", "POST", "/v1/setup", PUBLIC, access.SetUp, access.Enrolment, "Make the first admin."),
    Route("setup.confirm", "POST", "/v1/setup/confirm", PUBLIC, access.ConfirmEnrolment, access.Enrolled, "End set-up with a code.", "local"),
    Route("enrol.begin", "POST", "/v1/enrol", PUBLIC, access.BeginEnrolment, access.Enrolment, "First login with an enrolment code."),
    Route("enrol.confirm", "POST", "/v1/enrol/confirm", PUBLIC, access.ConfirmEnrolment, access.Enrolled, "End enrolment with a code.", "local"),
    Route("login", "POST", "/v1/login", PUBLIC, access.Login, access.Session, "Log in with name, password and code.", "local"),
    Route("session", "GET", "/v1/session", SELF, Nothing, access.Session, "My session.", while_locked=True),
    Route("session.attach", "POST", "/v1/session/attach", SELF, access.Attach, access.Session, "Attach a client: hand over its ssh-agent."),
    Route("session.touch", "POST", "/v1/session/touch", SELF, Nothing, access.Session, "A key was pressed: put off the idle lock."),
    Route("session.lock", "POST", "/v1/session/lock", SELF, Nothing, Done, "Lock my session.", "local"),
    Route("session.unlock", "POST", "/v1/session/unlock", SELF, access.Unlock, access.Session, "Open my locked session.", "local", while_locked=True),
    Route("session.step_up", "POST", "/v1/session/step-up", SELF, access.StepUp, access.Session, "Give a fresh code.", "local"),
    Route("logout", "POST", "/v1/logout", SELF, Nothing, Done, "End my session.", "local", while_locked=True),
    Route("sessions.list", "GET", "/v1/sessions", "accounts.see", Nothing, access.SessionList, "Sessions that are open."),
    Route("sessions.revoke", "DELETE", "/v1/sessions/{session}", "accounts.edit", access.SessionRef, Done, "End somebody's session.", "local",
          step_up=True),
    Route("password.change", "POST", "/v1/password", SELF, access.ChangePassword, Done, "Change my password.", "local", step_up=True),
    Route("recovery.renew", "POST", "/v1/recovery-codes", SELF, Nothing, access.RecoveryCodes, "Make new recovery codes.", "local", step_up=True),
    Route("accounts.list", "GET", "/v1/accounts", "accounts.see", Nothing, access.AccountList, "All people."),
    Route("accounts.invite", "POST", "/v1/accounts", "accounts.edit", access.Invite, access.Invited, "Make an account and its enrolment code.",
          "local", step_up=True),
    Route("accounts.grants", "PUT", "/v1/accounts/{account}/grants", "accounts.edit", access.SetGrants, access.Account,
          "Change what a person may do.", "local", step_up=True),
    Route("accounts.disable", "POST", "/v1/accounts/{account}/disable", "accounts.edit", access.AccountRef, Done,
          "Close an account and end its sessions.", "local", step_up=True),
    Route("accounts.enable", "POST", "/v1/accounts/{account}/enable", "accounts.edit", access.AccountRef, Done, "Open a closed account again.",
          "local", step_up=True),
    Route("profiles.list", "GET", "/v1/profiles", "accounts.see", Nothing, access.ProfileList, "Profiles and their permissions."),
)  # fmt: skip
