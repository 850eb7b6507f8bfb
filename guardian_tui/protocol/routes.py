"""The one route table: what can be asked of an engine, by whom, and how it is recorded.

The server's routes, the client's methods, the CLI's commands and the OpenAPI document are all made from it.
A request struct is filled from path parameters, query parameters and the JSON body together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guardian_tui.protocol import access, alerts, audit, fleet, system
from guardian_tui.protocol.base import Done, Nothing, Request, Response

PUBLIC = "public"
"""Permission of routes that need no session."""
SELF = "self"
"""Permission of routes that every session has: they touch only its own account."""

Recording = Literal["none", "local", "remote"]
"""``none``: only a denial is an event.  ``local``: one event in the transaction of the change.
``remote``: the intent before, the result after."""
Scoping = Literal["none", "host", "rows"]
"""``host``: the request names one host (``host`` or ``alert`` or ``question``), which the handler resolves through ``Call.host_in_scope``.
``rows``: the answer is filtered by ``Call.sees``."""


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the table."""

    name: str
    method: str
    path: str
    permission: str
    request: type[Request]
    response: type[Response]
    help: str
    recording: Recording = "none"
    scoping: Scoping = "none"
    step_up: bool = False
    """Wants a fresh second factor."""
    while_locked: bool = False
    """May be called by a locked session."""
    stream: bool = False
    raw: bool = False
    """Answers plain text, not JSON (health, metrics)."""


def _table(*routes: Route) -> dict[str, Route]:
    return {route.name: route for route in routes}


ROUTES: dict[str, Route] = _table(
    # the engine itself
    Route("hello", "GET", "/v1/hello", PUBLIC, Nothing, system.Hello, "Who are you, and what do you speak?"),
    Route("livez", "GET", "/livez", PUBLIC, Nothing, Done, "The process runs.", raw=True),
    Route(
        "readyz",
        "GET",
        "/readyz",
        PUBLIC,
        Nothing,
        Done,
        "The store can be written and hosts are polled.",
        raw=True,
    ),
    Route(
        "metrics",
        "GET",
        "/metrics",
        PUBLIC,
        Nothing,
        Done,
        "The engine's own metrics, for Prometheus.",
        raw=True,
    ),
    Route(
        "openapi", "GET", "/v1/openapi.json", PUBLIC, Nothing, Done, "This table as OpenAPI 3.1.", raw=True
    ),
    Route(
        "engine.status",
        "GET",
        "/v1/engine",
        "engine.see",
        Nothing,
        system.EngineStatus,
        "The engine's own health.",
    ),
    Route(
        "engine.linger",
        "POST",
        "/v1/engine/linger",
        "engine.stop",
        system.Linger,
        Done,
        "Go on after the last client, or not.",
        "local",
    ),
    Route(
        "engine.stop",
        "POST",
        "/v1/engine/stop",
        "engine.stop",
        system.Shutdown,
        Done,
        "Stop the engine in good order.",
        "local",
    ),
    Route(
        "events",
        "GET",
        "/v1/events",
        "hosts.see",
        system.EventsRequest,
        Done,
        "The live event stream.",
        scoping="rows",
        stream=True,
    ),
    # people
    Route(
        "setup.begin", "POST", "/v1/setup", PUBLIC, access.SetUp, access.Enrolment, "Make the first admin."
    ),
    Route(
        "setup.confirm",
        "POST",
        "/v1/setup/confirm",
        PUBLIC,
        access.ConfirmEnrolment,
        access.Enrolled,
        "End set-up with a code.",
        "local",
    ),
    Route(
        "enrol.begin",
        "POST",
        "/v1/enrol",
        PUBLIC,
        access.BeginEnrolment,
        access.Enrolment,
        "First login with an enrolment code.",
    ),
    Route(
        "enrol.confirm",
        "POST",
        "/v1/enrol/confirm",
        PUBLIC,
        access.ConfirmEnrolment,
        access.Enrolled,
        "End enrolment with a code.",
        "local",
    ),
    Route(
        "login",
        "POST",
        "/v1/login",
        PUBLIC,
        access.Login,
        access.Session,
        "Log in with name, password and code.",
        "local",
    ),
    Route("session", "GET", "/v1/session", SELF, Nothing, access.Session, "My session.", while_locked=True),
    Route(
        "session.attach",
        "POST",
        "/v1/session/attach",
        SELF,
        access.Attach,
        access.Session,
        "Attach a client: hand over its ssh-agent.",
    ),
    Route(
        "session.touch",
        "POST",
        "/v1/session/touch",
        SELF,
        Nothing,
        access.Session,
        "A key was pressed: put off the idle lock.",
    ),
    Route("session.lock", "POST", "/v1/session/lock", SELF, Nothing, Done, "Lock my session.", "local"),
    Route(
        "session.unlock",
        "POST",
        "/v1/session/unlock",
        SELF,
        access.Unlock,
        access.Session,
        "Open my locked session.",
        "local",
        while_locked=True,
    ),
    Route(
        "session.step_up",
        "POST",
        "/v1/session/step-up",
        SELF,
        access.StepUp,
        access.Session,
        "Give a fresh code.",
        "local",
    ),
    Route("logout", "POST", "/v1/logout", SELF, Nothing, Done, "End my session.", "local", while_locked=True),
    Route(
        "sessions.list",
        "GET",
        "/v1/sessions",
        "accounts.see",
        Nothing,
        access.SessionList,
        "Sessions that are open.",
    ),
    Route(
        "sessions.revoke",
        "DELETE",
        "/v1/sessions/{session}",
        "accounts.edit",
        access.SessionRef,
        Done,
        "End somebody's session.",
        "local",
        step_up=True,
    ),
    Route(
        "password.change",
        "POST",
        "/v1/password",
        SELF,
        access.ChangePassword,
        Done,
        "Change my password.",
        "local",
        step_up=True,
    ),
    Route(
        "recovery.renew",
        "POST",
        "/v1/recovery-codes",
        SELF,
        Nothing,
        access.RecoveryCodes,
        "Make new recovery codes.",
        "local",
        step_up=True,
    ),
    Route("accounts.list", "GET", "/v1/accounts", "accounts.see", Nothing, access.AccountList, "All people."),
    Route(
        "accounts.invite",
        "POST",
        "/v1/accounts",
        "accounts.edit",
        access.Invite,
        access.Invited,
        "Make an account and its enrolment code.",
        "local",
        step_up=True,
    ),
    Route(
        "accounts.grants",
        "PUT",
        "/v1/accounts/{account}/grants",
        "accounts.edit",
        access.SetGrants,
        access.Account,
        "Change what a person may do.",
        "local",
        step_up=True,
    ),
    Route(
        "accounts.disable",
        "POST",
        "/v1/accounts/{account}/disable",
        "accounts.edit",
        access.AccountRef,
        Done,
        "Close an account and end its sessions.",
        "local",
        step_up=True,
    ),
    Route(
        "accounts.enable",
        "POST",
        "/v1/accounts/{account}/enable",
        "accounts.edit",
        access.AccountRef,
        Done,
        "Open a closed account again.",
        "local",
        step_up=True,
    ),
    Route(
        "profiles.list",
        "GET",
        "/v1/profiles",
        "accounts.see",
        Nothing,
        access.ProfileList,
        "Profiles and their permissions.",
    ),
    # hosts
    Route(
        "hosts.list",
        "GET",
        "/v1/hosts",
        "hosts.see",
        fleet.HostsQuery,
        fleet.HostList,
        "Hosts and their state.",
        scoping="rows",
    ),
    Route(
        "hosts.show",
        "GET",
        "/v1/hosts/{host}",
        "hosts.see",
        fleet.HostRef,
        fleet.HostDetail,
        "One host in full.",
        scoping="host",
    ),
    Route(
        "hosts.history",
        "GET",
        "/v1/hosts/{host}/history",
        "hosts.see",
        fleet.HistoryQuery,
        fleet.History,
        "A metric over time.",
        scoping="host",
    ),
    Route(
        "hosts.add",
        "POST",
        "/v1/hosts",
        "hosts.edit",
        fleet.HostSpec,
        fleet.HostRow,
        "Watch a host.",
        "local",
    ),
    Route(
        "hosts.edit",
        "PUT",
        "/v1/hosts/{host}",
        "hosts.edit",
        fleet.EditHost,
        fleet.HostRow,
        "Change how a host is reached.",
        "local",
        scoping="host",
    ),
    Route(
        "hosts.remove",
        "DELETE",
        "/v1/hosts/{host}",
        "hosts.edit",
        fleet.RemoveHost,
        Done,
        "Stop watching a host.",
        "local",
        scoping="host",
    ),
    Route(
        "hosts.test",
        "POST",
        "/v1/hosts/{host}/test",
        "hosts.edit",
        fleet.HostRef,
        fleet.DoctorReport,
        "Test the connection, step by step.",
        "remote",
        scoping="host",
    ),
    Route(
        "hosts.maintenance",
        "POST",
        "/v1/hosts/{host}/maintenance",
        "hosts.maintain",
        fleet.Maintenance,
        fleet.HostRow,
        "Set or end planned work.",
        "local",
        scoping="host",
    ),
    Route(
        "hosts.import",
        "POST",
        "/v1/hosts/import",
        "hosts.edit",
        fleet.ImportRequest,
        fleet.ImportPreview,
        "Add hosts from ssh_config and known_hosts.",
        "local",
    ),
    Route(
        "questions.answer",
        "POST",
        "/v1/questions/{question}",
        "hosts.trust",
        fleet.Answer,
        Done,
        "Accept or refuse a host key; give a pass phrase.",
        "local",
        scoping="host",
    ),
    Route(
        "secrets.list",
        "GET",
        "/v1/secrets",
        "secrets.write",
        Nothing,
        fleet.SecretList,
        "Names of the vault's secrets.",
    ),
    Route(
        "secrets.set",
        "POST",
        "/v1/secrets",
        "secrets.write",
        fleet.SecretSet,
        Done,
        "Seal a secret.",
        "local",
        step_up=True,
    ),
    Route(
        "secrets.remove",
        "DELETE",
        "/v1/secrets/{name}",
        "secrets.write",
        fleet.SecretRef,
        Done,
        "Destroy a secret.",
        "local",
        step_up=True,
    ),
    # alerts
    Route(
        "alerts.list",
        "GET",
        "/v1/alerts",
        "alerts.see",
        alerts.AlertsQuery,
        alerts.AlertList,
        "Alerts that fire, or fired.",
        scoping="rows",
    ),
    Route(
        "alerts.show",
        "GET",
        "/v1/alerts/{alert}",
        "alerts.see",
        alerts.AlertRef,
        alerts.Alert,
        "One alert.",
        scoping="host",
    ),
    Route(
        "alerts.acknowledge",
        "POST",
        "/v1/alerts/{alert}/acknowledge",
        "alerts.acknowledge",
        alerts.Acknowledge,
        alerts.Alert,
        "Say that you have it.",
        "local",
        scoping="host",
    ),
    Route(
        "silences.list",
        "GET",
        "/v1/silences",
        "alerts.see",
        Nothing,
        alerts.SilenceList,
        "Silences that hold.",
    ),
    Route(
        "silences.add",
        "POST",
        "/v1/silences",
        "alerts.silence",
        alerts.AddSilence,
        alerts.Silence,
        "Keep alerts from telling anybody for a time.",
        "local",
    ),
    Route(
        "silences.end",
        "DELETE",
        "/v1/silences/{silence}",
        "alerts.silence",
        alerts.EndSilence,
        Done,
        "End a silence.",
        "local",
    ),
    Route("rules.list", "GET", "/v1/rules", "alerts.see", Nothing, alerts.RuleList, "Alert rules in force."),
    Route(
        "channels.list",
        "GET",
        "/v1/channels",
        "alerts.see",
        Nothing,
        alerts.ChannelList,
        "Ways to reach someone, and whether they work.",
    ),
    Route(
        "channels.test",
        "POST",
        "/v1/channels/{channel}/test",
        "channels.test",
        alerts.TestChannel,
        Done,
        "Send a test message.",
        "remote",
    ),
    # audit
    Route(
        "audit.list",
        "GET",
        "/v1/audit",
        "audit.see",
        audit.AuditQuery,
        audit.AuditPage,
        "Events, newest first.",
    ),
    Route(
        "audit.verify",
        "POST",
        "/v1/audit/verify",
        "audit.see",
        Nothing,
        audit.AuditVerdict,
        "Check the whole chain.",
    ),
    Route(
        "audit.export",
        "POST",
        "/v1/audit/export",
        "audit.export",
        audit.AuditExport,
        audit.AuditBundle,
        "Export events with proof.",
        "local",
    ),
)

PERMISSIONS: tuple[str, ...] = tuple(sorted({r.permission for r in ROUTES.values()} - {PUBLIC, SELF}))
