"""Tables of the state and metrics databases (SQLAlchemy Core).

Ids are text; times are Unix seconds as floats, but for the audit log, which holds whole milliseconds.  On SQLite `state` and `metrics` are two
files; on PostgreSQL one database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

state = MetaData(naming_convention=_NAMES)
metrics = MetaData(naming_convention=_NAMES)

meta = Table(
    "meta",
    state,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# --- access and vault ------------------------------------------------------------------------

accounts = Table(
    "accounts",
    state,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("kdf", Text, nullable=False),  # JSON: argon2id parameters
    Column("verifier", LargeBinary, nullable=False),
    Column("totp_sealed", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=False, server_default="0"),
    Column("enrolment_expires_at", Float),
    Column("created_at", Float, nullable=False),
    Column("last_login_at", Float),
    CheckConstraint("state IN ('active', 'invited', 'disabled')", name="state"),
)

grants = Table(
    "grants",
    state,
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("profile", Text, nullable=False),
    Column("scope", Text, nullable=False, server_default=""),
)

recovery_codes = Table(
    "recovery_codes",
    state,
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("used_at", Float),
)

views = Table(
    "views",
    state,
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("shared", Integer, nullable=False, server_default="0"),
    Column("body", Text, nullable=False),  # JSON of protocol.views.SaveView
)

sessions = Table(
    "sessions",
    state,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("peer_uid", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("last_seen_at", Float, nullable=False),
    Column("fresh_until", Float, nullable=False),
    Column("locked_at", Float),
    Column("ended_at", Float),
    Index(None, "account_id"),
)

vault_slots = Table(
    "vault_slots",
    state,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("kind", "owner"),
)

secrets = Table(
    "secrets",
    state,
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

# --- fleet -----------------------------------------------------------------------------------

hosts = Table(
    "hosts",
    state,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),  # JSON of protocol.fleet.HostSpec
    Column("source", Text, nullable=False, server_default="screen"),
    Column("unsupported", Text, nullable=False, server_default="[]"),  # JSON list of keywords
    Column("adopted_at", Float, nullable=False),
    Column("maintenance_until", Float, nullable=False, server_default="0"),
    Column("maintenance_reason", Text, nullable=False, server_default=""),
)

baselines = Table(
    "baselines",
    state,
    Column("host_id", Text, primary_key=True),
    Column("section", Text, primary_key=True),
    Column("items", LargeBinary, nullable=False),  # zlib of JSON: item → what it looks like
    Column("accepted_at", Float, nullable=False),
    Column("accepted_by", Text, nullable=False),
)

host_facts = Table(
    "host_facts",
    state,
    Column("host_id", Text, primary_key=True),
    Column("facts", Text, nullable=False),  # JSON: fact → words
    Column("read_at", Float, nullable=False),
)

import_sources = Table(
    "import_sources",
    state,
    Column("name", Text, primary_key=True),  # path or command on the machine of who imported it
    Column("format", Text, nullable=False),
    # JSON: host name → [keys of its labels, its groups], as it was last said
    Column("said", Text, nullable=False),
    Column("imported_at", Float, nullable=False),
    Column("imported_by", Text, nullable=False),
)

host_changes = Table(
    "host_changes",
    state,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("host_id", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("actor", Text, nullable=False, server_default=""),
    Index("ix_host_changes_host_id_at", "host_id", "at"),
)

host_keys = Table(
    "host_keys",
    state,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # key, authority, revoked
    Column(
        "pattern", Text, nullable=False
    ),  # host pattern as in known_hosts: [address]:port, |1|salt|hash, *.example
    Column("key", Text, nullable=False),  # OpenSSH public key: algorithm and base64
    Column("fingerprint", Text, nullable=False),
    Column("pinned_at", Float, nullable=False),
    Column("pinned_by", Text, nullable=False),
    UniqueConstraint("kind", "pattern", "key"),
    CheckConstraint("kind IN ('key', 'authority', 'revoked')", name="kind"),
)

checks = Table(
    "checks",
    state,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("host_id", Text, nullable=False),
    Column("spec", Text, nullable=False),  # JSON of protocol.checks.CheckSpec
    Column("source", Text, nullable=False, server_default="screen"),
    Column("created_at", Float, nullable=False),
    Column("memory", Text, nullable=False, server_default="{}"),  # JSON: streaks, places in logs
    CheckConstraint("source IN ('screen', 'config')", name="source"),
)

# --- alerts ----------------------------------------------------------------------------------

alerts = Table(
    "alerts",
    state,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("host_id", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("resolved_at", Float),
    Column("body", Text, nullable=False),  # JSON of protocol.alerts.Alert
    CheckConstraint("state IN ('firing', 'resolved')", name="state"),
    Index(None, "state", "since"),
    Index(None, "resolved_at"),
)

alert_state = Table(
    "alert_state",
    state,
    Column("host_id", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("body", Text, nullable=False),  # JSON: pending since, adopted
)

silences = Table(
    "silences",
    state,
    Column("id", Text, primary_key=True),
    Column("until", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON of protocol.alerts.Silence
    Index(None, "until"),
)

outbox = Table(
    "outbox",
    state,
    Column("id", Text, primary_key=True),
    Column("dedup_key", Text, nullable=False, unique=True),
    Column("channel", Text, nullable=False),
    Column("alert_id", Text, nullable=False, server_default=""),
    Column(
        "message_key", Text, nullable=False, server_default=""
    ),  # of the message it goes out with; empty: not grouped yet
    Column("payload", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_try_at", Float, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("last_error", Text, nullable=False, server_default=""),
    CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name="state"),
    Index(None, "channel", "state", "next_try_at"),
)

# --- backups -----------------------------------------------------------------------------------

backup_repositories = Table(
    "backup_repositories",
    state,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),  # JSON of protocol.backups.RepositorySpec
    Column("source", Text, nullable=False, server_default="screen"),
    Column("created_at", Float, nullable=False),
    Column("memory", Text, nullable=False, server_default="{}"),  # JSON: what its last reading and check said
)

backup_jobs = Table(
    "backup_jobs",
    state,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("host_id", Text, nullable=False),
    Column("repository_id", Text, nullable=False),
    Column("spec", Text, nullable=False),  # JSON of protocol.backups.JobSpec
    Column("source", Text, nullable=False, server_default="screen"),
    Column("created_at", Float, nullable=False),
    Column("memory", Text, nullable=False, server_default="{}"),
)

backup_runs = Table(
    "backup_runs",
    state,
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),  # empty: of a repository as a whole
    Column("repository_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("verdict", Text, nullable=False, server_default=""),
    Column("queued_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("row", Text, nullable=False),  # JSON of protocol.backups.RunRow
    Column("plan", Text, nullable=False),  # JSON: what is needed to go on with it after a restart
    Column("log", Text, nullable=False, server_default=""),  # the end of what it wrote
    CheckConstraint("state IN ('queued', 'running', 'ended', 'lost')", name="state"),
    Index(None, "job_id", "operation", "queued_at"),
    Index(None, "repository_id", "operation", "queued_at"),
    Index(None, "state"),
)

backup_timers = Table(
    "backup_timers",
    state,
    Column("job_id", Text, primary_key=True),
    Column("host_id", Text, primary_key=True),  # stays until nothing of it is on the host
    Column("body", Text, nullable=False),  # JSON: what is known of it
)

approvals = Table(
    "approvals",
    state,
    Column("id", Text, primary_key=True),
    Column("asked_at", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON: the order, its preview's digest, what was said of it
)

backup_snapshots = Table(
    "backup_snapshots",
    state,
    Column("repository_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("job_id", Text, nullable=False, server_default=""),
    Column("at", Float, nullable=False),
    Column("good", Integer, nullable=False, server_default="1"),
    Column("body", Text, nullable=False),  # JSON of protocol.backups.Snapshot
    Index(None, "job_id", "at"),
    Index(None, "repository_id", "at"),
)

backup_hashes = Table(
    "backup_hashes",
    state,
    Column("repository_id", Text, primary_key=True),
    Column("snapshot_id", Text, primary_key=True),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON: paths and SHA-256 of some files, taken at backup time
)

# --- runbooks ----------------------------------------------------------------------------------

runbook_documents = Table(
    "runbook_documents",
    state,
    Column("hash", Text, primary_key=True),
    Column("runbook", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON of the document as it was read: what a run is pinned to
    Column("created_at", Float, nullable=False),
)

runbook_runs = Table(
    "runbook_runs",
    state,
    Column("id", Text, primary_key=True),
    Column("runbook", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("verdict", Text, nullable=False, server_default=""),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column(
        "settled", Integer, nullable=False, server_default="0"
    ),  # what it opened is closed, its transcript is hashed
    Column("row", Text, nullable=False),  # JSON of protocol.runbooks.RunbookRun, for lists
    CheckConstraint("state IN ('asking', 'running', 'paused', 'deciding', 'ended')", name="state"),
    Index(None, "runbook", "started_at"),
    Index(None, "started_at"),
    Index(None, "settled"),
)

runbook_journal = Table(
    "runbook_journal",
    state,
    Column("run_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),  # JSON of an entry; never changed
)

runbook_output = Table(
    "runbook_output",
    state,
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("step", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("host", Text, nullable=False),  # its name: hosts go, transcripts stay
    Column("stream", Text, nullable=False),
    Column("text", Text, nullable=False),  # masked
    CheckConstraint("stream IN ('out', 'err')", name="stream"),
)

# --- audit -----------------------------------------------------------------------------------

audit_events = Table(
    "audit_events",
    state,
    Column("chain", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("peer_uid", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    state,
    Column("chain", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),  # signed JSON, as in the append-only file
)

# --- metrics ---------------------------------------------------------------------------------

layouts = Table(
    "layouts",
    metrics,
    Column("id", Text, primary_key=True),  # hash of the names
    Column("names", LargeBinary, nullable=False),  # zlib of names joined by \n
)

waves = Table(
    "waves",
    metrics,
    # append-only: clustered by insertion, so that a wave is one run of pages
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("part", Integer, nullable=False),  # of the hosts, by their ids
    Column("first", Float, nullable=False),
    Column("last", Float, nullable=False),
    Column("hosts", BigInteger, nullable=False),  # a bit for each host that it holds
    Column(
        "data", LargeBinary, nullable=False
    ),  # samples; empty: the part's rows before it are closed, up to first
)

chunks = Table(
    "chunks",
    metrics,
    Column("host_id", Text, primary_key=True),
    Column("resolution", Integer, primary_key=True),  # seconds: 0 raw, 60, 900
    Column("period", Integer, primary_key=True),
    Column("start", Float, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Index(None, "resolution", "start"),
    CheckConstraint("resolution IN (0, 60, 900)", name="resolution"),
)
