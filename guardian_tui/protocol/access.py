"""People, sessions, roles, login."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response

AccountName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*\Z")]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""A TOTP code of six digits, or a recovery code."""
SessionKind = Literal["tui", "cli", "api"]
AccountState = Literal["active", "invited", "disabled"]


class SetUp(Request, frozen=True):
    """First start: make the first admin.  Answered with what the authenticator app needs."""

    name: AccountName
    password: Password
    code: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """The one-time code of a shared engine, where whoever asks is not the account that it runs as."""


class Enrolment(Response, frozen=True):
    """What is needed to add Guardian to an authenticator app; confirm with one code."""

    token: str
    """Names this enrolment; lives ten minutes."""
    secret: str
    """Base32, to type by hand."""
    uri: str
    """otpauth:// URI, for the QR code."""


class ConfirmEnrolment(Request, frozen=True):
    """One code from the app ends the enrolment and logs in."""

    token: str
    code: Code
    kind: SessionKind = "tui"


class Enrolled(Response, frozen=True):
    """The account is there and logged in.  The codes and the key are shown this once."""

    session: Session
    recovery_codes: tuple[str, ...]
    recovery_key: str = ""
    """Printed key that opens the vault when all passwords are lost; first admin only."""


class BeginEnrolment(Request, frozen=True):
    """A new person's first login with the one-time code that an admin gave them."""

    name: AccountName
    enrolment_code: Annotated[str, msgspec.Meta(max_length=200)]
    password: Password


class Login(Request, frozen=True):
    """Name, password and code, always all three."""

    name: Annotated[str, msgspec.Meta(max_length=200)]
    password: Password
    code: Code
    kind: SessionKind = "tui"
    agent_socket: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    """The client's ``SSH_AUTH_SOCK``, handed over at each attach."""


class Attach(Request, frozen=True):
    """A client with a session attaches: hands over its ssh-agent."""

    agent_socket: Annotated[str, msgspec.Meta(max_length=4096)] = ""


class Session(Response, frozen=True):
    """A login.  ``token`` is only there in the answer to the login."""

    id: str
    account: str
    profiles: tuple[str, ...]
    permissions: tuple[str, ...]
    kind: SessionKind
    created_at: float
    expires_at: float
    idle_seconds: float
    """Locks itself after so long without a key."""
    fresh_until: float
    """Until when the second factor counts as fresh."""
    token: str = ""
    locked: bool = False
    advisory: bool = False
    """True when the person's own Unix account could go round the roles (personal engine)."""
    last_seen_at: float = 0.0
    peer_uid: int = -1


class Unlock(Request, frozen=True):
    """Open a locked session."""

    code: Code
    password: Password


class StepUp(Request, frozen=True):
    """A fresh second factor for dangerous orders."""

    code: Code


class SessionList(Response, frozen=True):
    """Sessions that are open."""

    sessions: tuple[Session, ...]


class SessionRef(Request, frozen=True):
    """Names a session by its id."""

    session: str


class Grant(Response, frozen=True):
    """A profile, on the hosts that a scope selects."""

    profile: str
    scope: str = ""
    """Labels as ``key=value`` words, all of which must match; empty: every host."""


class Account(Response, frozen=True):
    """A person."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    state: AccountState
    created_at: float
    last_login_at: float | None = None


class AccountList(Response, frozen=True):
    """All people."""

    accounts: tuple[Account, ...]


class GrantSpec(Request, frozen=True):
    """A profile and its scope, as asked for."""

    profile: str
    scope: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Invite(Request, frozen=True):
    """Make an account; its person enrols with the code that is answered."""

    name: AccountName
    grants: Annotated[tuple[GrantSpec, ...], msgspec.Meta(min_length=1, max_length=20)]


class Invited(Response, frozen=True):
    """The enrolment code, shown this once."""

    account: Account
    enrolment_code: str
    expires_at: float


class AccountRef(Request, frozen=True):
    """Names an account."""

    account: str


class SetGrants(Request, frozen=True):
    """Replace an account's grants."""

    account: str
    grants: Annotated[tuple[GrantSpec, ...], msgspec.Meta(min_length=1, max_length=20)]


class ChangePassword(Request, frozen=True):
    """Change one's own password."""

    old: Password
    new: Password


class Profile(Response, frozen=True):
    """A named set of permissions."""

    name: str
    permissions: tuple[str, ...]
    help: str


class ProfileList(Response, frozen=True):
    """All profiles."""

    profiles: tuple[Profile, ...]


class RecoveryCodes(Response, frozen=True):
    """A new set of one-time codes; the old ones no longer work."""

    codes: tuple[str, ...]
