"""What a person can do: the only list of commands.

Keys, the footer, the `:` line, the palette and the `?` help are all read from :data:`COMMANDS`.  A command that stands on a route takes
its permission from there, so what a session may not do is not offered; the engine decides all the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.routes import PUBLIC, ROUTES, SELF

GLOBAL = "global"
"""Context of commands that work on every screen after login."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that a person can do.

    ``keys`` are Textual key names; ``words`` the names of the `:` line; ``arguments`` what follows them, for help and completion
    (``HOST``, ``DURATION``…); ``footer`` the short word in the footer, empty for none; ``where`` the screens on which it works.
    """

    name: str
    title: str
    help: str
    where: tuple[str, ...] = (GLOBAL,)
    keys: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    arguments: str = ""
    footer: str = ""
    route: str = ""
    dangerous: bool = False

    @property
    def permission(self) -> str:
        """The permission that its route wants; empty when any session has it."""
        permission = ROUTES[self.route].permission if self.route else ""
        return "" if permission in (PUBLIC, SELF) else permission

    def works_on(self, screen: str) -> bool:
        """Whether it works on the screen of this name."""
        return GLOBAL in self.where or screen in self.where


def _registry(*commands: Command) -> dict[str, Command]:
    return {command.name: command for command in commands}


_LISTS = ("fleet", "alerts", "audit", "checks", "backups", "runbooks", "approvals")
_CHARTED = ("host", "check", "alert")
_FED = (*_LISTS, *_CHARTED, "engine", "people", "backup")
"""Screens that the event stream draws; a section is read at a pace of its own."""

COMMANDS: dict[str, Command] = _registry(
    # what is in front of you
    Command("open", "Open what is under the cursor", "Opens the host's page, the alert, or the event.",
            ("fleet", "alerts", "alert", "host", "checks", "check", "log", "backups", "backup", "repository", "restore",
             "runbooks", "approvals"), ("enter",), footer="open"),
    Command("back", "Go back", "Closes what is open: a page, a filter, a dialog.", (GLOBAL,), ("escape",)),
    Command("last", "Last screen", "Goes to the screen where you were before.", (GLOBAL,), ("minus",)),
    Command("filter", "Filter this list", "Words, !not, label=value, ~regex, col>90; all must hold.",
            (*_LISTS, "section", "log", "transcript", "step"), ("slash",), footer="filter", words=("filter",), arguments="[FILTER]"),
    Command("line", "Command line", "Type a command with its arguments; tab completes, up and down recall.",
            (GLOBAL,), ("colon",), footer="command"),
    Command("problems", "Problems only", "Shows only hosts that are not well, or all again.",
            ("fleet",), ("exclamation_mark",), footer="problems", words=("problems",)),
    Command("mark", "Mark", "Marks the row; commands then act on all marked rows.", ("fleet", "alerts", "checks", "section"), ("space",)),
    Command("range", "Mark a range", "Marks all rows from the last mark to the cursor.", ("fleet", "alerts", "checks", "section"), ("v",)),
    Command("zoom", "Zoom this pane", "The pane in focus takes the whole screen, or gives it back.",
            ("fleet", "host"), ("z",), footer="zoom"),
    Command("pane.next", "Next pane", "Moves to the next pane.", ("fleet", "host", "backup", "repository", "runbook", "step"), ("tab",)),
    Command("pane.1", "Hosts pane", "Goes to the hosts.", ("fleet",), ("1",)),
    Command("pane.2", "Alerts pane", "Goes to the alerts; on a narrow terminal it opens over the hosts.", ("fleet",), ("2",)),
    Command("pane.3", "Backups pane", "Goes to the backups; on a narrow terminal it opens over the hosts.", ("fleet",), ("3",)),
    Command("pane.4", "Audit pane", "Goes to the audit log; on a narrow terminal it opens over the hosts.", ("fleet",), ("4",)),
    Command("sort.name", "Sort by name", "Again: the other way round.", ("fleet",), ("N",), words=("sort",), arguments="COLUMN"),
    Command("sort.state", "Sort by trouble", "Again: the other way round.", ("fleet",), ("S",)),
    Command("sort.cpu", "Sort by CPU", "Again: the other way round.", ("fleet",), ("C",)),
    Command("sort.memory", "Sort by memory", "Again: the other way round.", ("fleet",), ("M",)),
    Command("sort.disk", "Sort by disk", "Again: the other way round.", ("fleet",), ("D",)),
    Command("columns", "Columns of the hosts", "Pick those to be seen, labels too; or name them: cpu disk label:role, auto.", ("fleet",), ("c",),
            words=("columns",), arguments="[COLUMN…|auto]"),
    Command("view.open", "Views", "Filter, order and columns that were kept under a name, yours and those that others share; keeps one too.",
            (GLOBAL,), ("apostrophe",), words=("view", "views"), arguments="[NAME]", route="views.list"),
    Command("view.save", "Keep this view", "Under a name of yours; shared: others are offered it.", _LISTS, words=("view-save",),
            arguments="NAME [shared]", route="views.save"),
    Command("view.remove", "Forget a view", "One of yours.", (GLOBAL,), words=("view-remove",), arguments="NAME", route="views.remove"),
    Command("pause", "Pause", "Freezes the picture, with a banner; again goes on.", (GLOBAL,), ("P",), words=("pause",)),
    Command("draw.slower", "Draw less often", "As news come, or every 2, 5, 10, 30 s: for slow links. Alarms and banners do not wait.", _FED,
            ("greater_than_sign",), words=("slower",)),
    Command("draw.faster", "Draw more often", "Every 30, 10, 5, 2 s, or as news come.", _FED, ("less_than_sign",), words=("faster",)),
    Command("save", "Save what is on screen", "Writes the list as CSV or JSON lines, or the screen as SVG.",
            (GLOBAL,), ("ctrl+s",), words=("save",), arguments="[csv|jsonl|svg]"),
    # where to go
    Command("go.fleet", "Fleet", "Hosts, alerts and the audit log at a glance.", (GLOBAL,), ("g 1",), words=("hosts", "fleet"),
            arguments="[FILTER]", route="hosts.list"),
    Command("go.alerts", "Alerts", "All that fire; behind each @: somebody has it, z: it is silenced, ✓: it is over.", (GLOBAL,), ("g 2",), words=("alerts",),
            arguments="[FILTER]", route="alerts.list"),
    Command("go.audit", "Audit log", "Who did what, when, and whether the chain holds.", (GLOBAL,), ("g 4",), words=("audit",),
            arguments="[FILTER]", route="audit.list"),
    Command("go.people", "People", "Accounts, what they may do, and their open sessions.", (GLOBAL,), ("g 6",), words=("people",),
            route="accounts.list"),
    Command("go.checks", "Checks", "What is looked at from outside, or by a command on a host, and what came of it.", (GLOBAL,), ("g 5",),
            words=("checks",), arguments="[FILTER]", route="checks.list"),
    Command("go.backups", "Backups", "Jobs, hosts that could be restored tonight, repositories, runs.", (GLOBAL,), ("g 3",), words=("backups",),
            arguments="[FILTER]", route="backups.list"),
    Command("go.runbooks", "Runbooks", "The library, runs and what they wrote.", (GLOBAL,), ("g 7",), words=("runbooks",),
            arguments="[FILTER]", route="runbooks.list"),
    Command("go.approvals", "Approvals", "What waits for another person, what you asked for, what was decided.", (GLOBAL,), ("g 8",),
            words=("approvals",), arguments="[FILTER]", route="approvals.list"),
    Command("go.engine", "The engine", "What it costs, what waits, how late it is, its store, errors of our own.", (GLOBAL,), ("g 9",),
            words=("engine",), route="engine.figures"),
    Command("go.host", "Open a host's page", "By its name.", (GLOBAL,), words=("host",), arguments="HOST", route="hosts.show"),
    # hosts
    Command("host.add", "Add a host", "Asks how it is reached, tests it, and watches it.", ("fleet",), ("n",), words=("add",),
            arguments="[NAME [ADDRESS]]", route="hosts.add", footer="add"),
    Command("host.edit", "Edit the host", "Changes how it is reached.", ("fleet", "host"), ("e",), words=("edit",), arguments="[HOST]",
            route="hosts.edit"),
    Command("host.remove", "Stop watching the host", "Its history stays until retention ends it.", ("fleet", "host"), ("delete",),
            words=("remove",), arguments="[HOST]", route="hosts.remove", dangerous=True),
    Command("host.test", "Test the connection", "Step by step, in words, and what to do.", ("fleet", "host"), ("t",), words=("test",),
            arguments="[HOST]", route="hosts.test"),
    Command("host.answer", "Answer the host's question", "Accept its key after comparing the fingerprint; give a pass phrase.",
            ("fleet", "host"), ("K",), words=("key", "answer"), arguments="[HOST]", route="questions.answer", footer="key"),
    Command("host.maintenance", "Planned work", "No alert of the host reaches anybody for a time; again ends it.", ("fleet", "host"),
            ("w",), words=("maintenance",), arguments="[DURATION] [REASON]", route="hosts.maintenance"),
    Command("host.keys", "Accept new host keys", "All keys that wait, as a list of fingerprints; the number of those you mark is typed in.",
            ("fleet",), words=("keys",), route="questions.accept"),
    Command("authorities", "Authorities of host keys", "Which are pinned and whom they cover; with a pattern and a .pub file, pin one.",
            (GLOBAL,), words=("authorities",), arguments="[PATTERN FILE.pub]", route="authorities.list"),
    Command("authority.pin", "Pin an authority", "Trusts every host key that it signed for the hosts named.", ("authorities",), ("n",),
            route="authorities.pin", footer="pin"),
    Command("authority.remove", "Trust the authority no longer", "Its hosts must then show a key that is trusted.", ("authorities",), ("delete",),
            route="authorities.remove", footer="remove", dangerous=True),
    Command("host.set", "Change marked hosts", "Environment, user, credential, jump hosts, interval, labels, groups; says first how many.",
            ("fleet",), ("E",), words=("set",), arguments="KEY=VALUE…", route="hosts.bulk"),
    Command("host.unset", "Take labels or groups from marked hosts", "label.KEY or group=NAME; says first how many.",
            ("fleet",), words=("unset",), arguments="KEY…", route="hosts.bulk"),
    Command("host.import", "Import hosts", "From ~/.ssh/config, an Ansible inventory or CSV: shows first what would change; marks choose.",
            ("fleet",), ("i",), words=("import",), arguments="[FILE]", route="hosts.import"),
    # what a host's page opens
    Command("host.facts", "What it is", "System, processors, address, credential, key, labels, and what could not be read.", ("host",), ("i",),
            footer="facts"),
    Command("host.processes", "Processes", "Every process: sort, filter, tree, signals.", ("fleet", "host", "section"), ("p",),
            words=("processes", "ps"), arguments="[HOST [FILTER]]", footer="processes", route="hosts.section"),
    Command("host.units", "Units", "Every systemd unit: state, memory, restarts; its log, restart, stop.", ("fleet", "host", "section"),
            ("u",), words=("units",), arguments="[HOST [FILTER]]", footer="units", route="hosts.section"),
    Command("host.section", "More of the host", "Pick one of all its sections: containers, sockets, certificates, updates and more.",
            ("fleet", "host", "section"), ("o",), words=("section",), arguments="[SECTION [HOST]]", footer="more", route="hosts.section"),
    Command("host.logs", "Logs", "Follows the journal, of this host or of all that are marked; a unit's or a file's by its name.",
            ("fleet", "host", "section:other", "section:processes"), ("l",), words=("log", "logs"), arguments="[unit:NAME|file:PATH]",
            footer="logs", route="logs.read"),
    Command("host.shell", "Open a shell", "The terminal is the host's until the shell ends, or ~. at the start of a line leaves it; it is in the audit log.",
            ("fleet", "host"), ("dollar_sign",), words=("shell",), arguments="[HOST]", footer="shell", route="shell.open", dangerous=True),
    Command("unit.log", "The unit's log", "Follows the journal of the unit under the cursor.", ("section:units",), ("l", "enter"),
            footer="log", route="logs.read"),
    Command("process.signal", "Send a signal", "To the marked processes, or the one under the cursor, while it is the one you see.",
            ("section:processes",), ("x", "delete"), words=("signal", "kill"), arguments="[SIGNAL]", footer="signal",
            route="processes.signal", dangerous=True),
    Command("unit.act", "Start, stop, restart", "The marked units, or the one under the cursor.", ("section:units",), ("x",),
            words=("unit",), arguments="[restart|reload|start|stop|reset-failed]", footer="act", route="units.control", dangerous=True),
    Command("section.sort", "Sort by the next column", "Or by the one named.", ("section",), ("S",), words=("sortby",),
            arguments="[COLUMN]", footer="sort"),
    Command("section.reverse", "The other way round", "Turns the order round.", ("section",), ("R",)),
    Command("section.tree", "As a tree", "Children below their parents, or flat again.", ("section:processes",), ("t",), words=("tree",),
            footer="tree"),
    Command("section.slower", "Read less often", "Every 1, 2, 5, 10, 30 s.", ("section",), ("greater_than_sign",)),
    Command("section.faster", "Read more often", "Every 30, 10, 5, 2, 1 s.", ("section",), ("less_than_sign",)),
    Command("section.withheld", "What could not be seen", "Why, and the sudoers rule that would let it.", ("section",), ("W",)),
    Command("log.follow", "Follow", "Keeps the newest lines in view, or stays where you are.", ("log",), ("f",), footer="follow"),
    # alerts
    Command("alert.acknowledge", "Acknowledge", "Says that you have it; the alert stays until it is resolved.",
            ("fleet", "host", "alerts", "alert"), ("a",), words=("ack", "acknowledge"), arguments="[NOTE]", footer="ack",
            route="alerts.acknowledge"),
    Command("alert.silence", "Silence", "It tells nobody for a time; on a host where nothing fires, all of it beforehand.",
            ("fleet", "host", "alerts", "alert"), ("s",), words=("silence",),
            arguments="[DURATION] [REASON]", footer="silence", route="silences.add"),
    Command("silences", "Silences", "Those that hold, until when and by whom; one that is picked ends.", ("alerts",), ("S",), words=("silences",),
            footer="silences", route="silences.list"),
    Command("rules", "Rules in force", "What fires when, and whom it tells; with a word, those that have it.", (GLOBAL,), words=("rules",),
            arguments="[WORD]", route="rules.list"),
    Command("channels", "Channels", "Who is told of alerts, and whether that works; one that is picked sends a test message.", (GLOBAL,),
            words=("channels",), route="channels.list"),
    # checks
    Command("check.add", "Add a check", "Asks what is looked at, from where, and how often.", ("checks", "host"), ("n",),
            words=("check-add",), arguments="[NAME [KIND]]", route="checks.add", footer="add"),
    Command("check.edit", "Edit the check", "Changes what it wants; its alerts are judged anew.", ("checks", "check"), ("e",),
            words=("check-edit",), arguments="[CHECK]", route="checks.edit", footer="edit"),
    Command("check.switch", "Switch checks off or on", "The marked ones, or the one in front. Off: it is not made, and its alerts end.", ("checks", "check"), ("o",),
            words=("check-switch",), arguments="[CHECK]", route="checks.edit"),
    Command("check.remove", "Remove checks", "The marked ones, or the one in front. Their history stays until retention ends it.", ("checks", "check"), ("delete",),
            words=("check-remove",), arguments="[CHECK]", route="checks.remove", dangerous=True),
    Command("check.run", "Make checks now", "The marked ones, or the one in front; says what came of it.", ("checks", "check"), ("r",), words=("check-run",),
            arguments="[CHECK]", route="checks.run", footer="run now"),
    # backups
    Command("backups.jobs", "Jobs", "What is saved, and how old its newest good snapshot is against its RPO.", ("backups",), ("1",)),
    Command("backups.hosts", "Hosts", "Could each be restored tonight, and if not, why.", ("backups",), ("2",)),
    Command("backups.repositories", "Repositories", "As they were when they were last read.", ("backups",), ("3",)),
    Command("backups.runs", "Runs", "What is under way, what waits, what came of the last day's.", ("backups",), ("4",)),
    Command("backups.sort", "Sort by the next column", "Or by the one named: trouble, name, host, age, check, drill, size.", ("backups",), ("S",),
            words=("backups-sort",), arguments="[COLUMN]"),
    Command("backup.run", "Back up now", "Queues a run; it goes on on its host whatever happens here.", ("backups", "backup", "repository"), ("r",),
            words=("backup",), arguments="[JOB]", route="backups.run", footer="run now"),
    Command("backup.restore", "Restore", "Browse the snapshot, choose, see what would be overwritten, then do it.", ("backups", "backup", "repository"), ("R",),
            words=("restore",), arguments="[JOB]", route="backups.restore", footer="restore"),
    Command("backup.drill", "Drill", "Restores to a temporary folder, compares with the hashes of backup time, deletes it.", ("backups", "backup", "repository"), ("D",),
            words=("drill",), arguments="[JOB]", route="backups.drill", footer="drill"),
    Command("backup.cancel", "End the run", "With all that it started on its host.", ("backups", "backup", "repository", "run"), ("x",), words=("backup-cancel",),
            route="backups.cancel", footer="end run", dangerous=True),
    Command("backup.add", "Add a backup", "Asks what is saved, to where, when, and how soon it must be back.", ("backups",), ("n",),
            words=("backup-add",), route="backups.add", footer="add"),
    Command("backup.edit", "Edit the backup", "Its name stays: snapshots are tagged with it. Where a repository is in front: how that is reached.",
            ("backups", "backup", "repository"), ("e",), words=("backup-edit",), arguments="[JOB]", route="backups.edit", footer="edit"),
    Command("backup.remove", "Remove the backup", "Its snapshots stay in the repository. Where a repository is in front: that is looked at no longer.",
            ("backups", "backup", "repository"), ("delete",),
            words=("backup-remove",), arguments="[JOB]", route="backups.remove", dangerous=True),
    Command("backup.retain", "Forget old snapshots", "Shows first which ones the policy would forget.", ("backups", "backup"), ("F",),
            words=("retain",), arguments="[JOB]", route="backups.retain", dangerous=True),
    Command("restore.choose", "Choose", "The file or folder under the cursor will be restored; again: it will not.", ("restore",), ("space",), footer="choose"),
    Command("restore.go", "Restore what was chosen", "Asks where it goes, shows what that means, then asks again.", ("restore",), ("R",),
            route="backups.restore", footer="restore"),
    Command("backup.growth", "Growth of the backup", "The sizes of its snapshots as a chart, and how much it grows in a month.", ("backups", "backup"),
            words=("growth",), arguments="[JOB]", route="backups.show"),
    Command("backups.copies", "Copies", "3-2-1-1-0: copies, places, one elsewhere, one that no key in use can delete, no errors; what one key could destroy.",
            ("backups",), ("5",), words=("copies",), arguments="[FILTER]", route="backups.copies"),
    Command("backups.discover", "What makes backups there already", "Set-ups of borgmatic, restic, resticprofile, pgBackRest and Borg on a host.",
            ("backups", "host"), ("O",), words=("discover",), arguments="[HOST]", route="backups.discover", footer="discover"),
    Command("found.observe", "Observe the repository", "It is looked at from now on, whoever fills it; its password stays where it is.", ("found",),
            ("o", "enter"), route="repositories.observe", footer="observe"),
    Command("found.take", "Seal its password here", "Reads it from the configuration on the host; it is shown to nobody.", ("found",), ("T",),
            route="repositories.take_secrets", footer="take password"),
    Command("found.unread", "What could not be read", "Files and folders, and why.", ("found",), ("W",), footer="unread"),
    Command("repository.add", "Add a repository", "Where backups are kept, and who reads it.", ("backups",), ("N",), words=("repository-add",),
            route="repositories.add", footer="add"),
    Command("repository.edit", "Edit the repository", "How it is reached.", ("backups", "repository"), words=("repository-edit",), arguments="[REPOSITORY]",
            route="repositories.edit"),
    Command("repository.make", "Make the repository", "Where it is not there yet.", ("backups", "repository"), words=("repository-make",),
            arguments="[REPOSITORY]", route="repositories.make"),
    Command("repository.read", "Read the repository now", "Its snapshots, whoever made them.", ("backups", "repository"), ("u",), words=("repository-read",),
            arguments="[REPOSITORY]", route="repositories.read", footer="read now"),
    Command("repository.check", "Check the repository", "A share of its data; or structure, sample, all.", ("backups", "repository"), ("V",),
            words=("repository-check",), arguments="[REPOSITORY] [LEVEL]", route="repositories.check", footer="check"),
    Command("repository.unlock", "Remove stale locks", "Only those that no living process holds.", ("backups", "repository"), words=("repository-unlock",),
            arguments="[REPOSITORY]", route="repositories.unlock", dangerous=True),
    Command("repository.remove", "Forget the repository", "Nothing in it is touched.", ("backups", "repository"), words=("repository-remove",),
            arguments="[REPOSITORY]", route="repositories.remove", dangerous=True),
    # runbooks
    Command("runbook.open", "Run a runbook", "The one that fits the alert or the hosts in front, or the one named; shows first what it would do.",
            ("fleet", "host", "alerts", "alert", "runbooks"), ("r",), words=("runbook",), arguments="[RUNBOOK [HOST…] [NAME=VALUE…]]", footer="runbook",
            route="runbooks.show"),
    Command("runbooks.library", "Library", "Documents: what they answer, how dangerous they are, how the last run went.", ("runbooks",), ("1",), footer="library"),
    Command("runbooks.runs", "Runs", "Those that have not ended first.", ("runbooks",), ("2",), footer="runs"),
    Command("runbooks.found", "Found", "Places in what runs wrote.", ("runbooks",), ("3",), footer="found"),
    Command("runbooks.find", "Find words in all runs", "In their output, commands and answers.", ("runbooks",), ("f",), words=("find",),
            arguments="[WORDS]", footer="find", route="runbooks.search"),
    Command("runbooks.reload", "Read the library again", "It is read again by itself too, when it changes.", ("runbooks",), ("u",),
            words=("runbooks-reload",), route="runbooks.reload"),
    # approvals
    Command("approvals.approve", "Approve", "Shows first what would be done; wants a fresh code.", ("approvals",), ("y",), footer="approve",
            route="approvals.approve"),
    Command("approvals.refuse", "Refuse", "Asks why; it is over then, and has to be asked for anew.", ("approvals",), ("n",), words=("refuse-approval",),
            arguments="[WHY]", footer="refuse", route="approvals.refuse"),
    Command("approvals.waiting", "Waiting", "What others asked for; what you can answer first.", ("approvals",), ("1",), footer="waiting"),
    Command("approvals.mine", "Mine", "What you asked for: enter carries out what was approved.", ("approvals",), ("2",), footer="mine"),
    Command("approvals.decided", "Decided", "What was done, refused or ran out in the last day.", ("approvals",), ("3",), footer="decided"),
    Command("runbook.problems", "Why it is broken", "Each fault with file, line and column.", ("runbooks",), ("W",), words=("runbook-problems",),
            arguments="[RUNBOOK]"),
    Command("runbook.transcript", "Transcript", "Who did what when, and what came of it; ^s saves it.", ("runbooks", "step"), ("t",),
            words=("transcript",), arguments="[RUN]", footer="transcript", route="runbooks.transcript"),
    Command("runbook.begin", "Start", "Begins a run of the plan that is shown; it asks before each step.", ("runbook",), ("enter",), footer="start",
            route="runbooks.run"),
    Command("runbook.edit", "Values", "Hosts and values of the run.", ("runbook",), ("e",), footer="values"),
    Command("runbook.try", "Dry run", "Renders everything, and runs only what reads.", ("runbook",), ("d",), footer="dry run", route="runbooks.try"),
    Command("runbook.changes", "What changed", "How the document differs from that of its last run.", ("runbook",), ("c",), footer="changes"),
    Command("runbook.auto", "By itself", "Goes on by itself wherever no person is needed, or asks before each step.", ("runbook",), ("A",),
            footer="by itself"),
    # a run of one
    Command("runbook.go", "Do what is asked", "Runs the step, answers, decides; what is dangerous is typed in first.", ("step",), ("enter",),
            footer="go on", route="runbooks.answer"),
    Command("runbook.answer", "Answer", "A choice by its number or its word.", ("step",), words=("answer",), arguments="[WORD]", route="runbooks.answer"),
    Command("runbook.option_up", "Answer above", "Points at another answer.", ("step",), ("up",)),
    Command("runbook.option_down", "Answer below", "Points at another answer.", ("step",), ("down",)),
    Command("runbook.approve", "Approve", "What is shown, on those hosts; it counts for nothing else.", ("step",), ("y",), words=("approve",),
            arguments="[NOTE]", footer="approve", route="runbooks.approve"),
    Command("runbook.refuse", "Refuse", "The run does not go on.", ("step",), ("n",), words=("refuse",), arguments="[WHY]", footer="refuse",
            route="runbooks.approve"),
    Command("runbook.retry", "Try again", "Where it was not well.", ("step",), ("r",), footer="retry", route="runbooks.answer"),
    Command("runbook.accept", "Take as done", "A step that failed or of which nothing is known; says why.", ("step",), ("a",), words=("accept",),
            arguments="[WHY]", footer="take as done", route="runbooks.answer"),
    Command("runbook.skip", "Skip", "Goes on without this step; says why.", ("step",), ("k",), words=("skip",), arguments="[WHY]", footer="skip",
            route="runbooks.answer"),
    Command("runbook.previous", "Step back", "To the step before; what was done stays done.", ("step",), ("b",), footer="back", route="runbooks.answer"),
    Command("runbook.rollback", "Roll back", "Takes back what was done, in reverse; each step asks.", ("step",), ("u",), footer="roll back",
            route="runbooks.answer", dangerous=True),
    Command("runbook.pause", "Pause, or go on", "No further host is begun.", ("step",), ("p",), footer="pause", route="runbooks.answer"),
    Command("runbook.hand", "Hand over", "Somebody else leads, or you take it.", ("step",), ("h",), words=("hand",), arguments="[NAME]",
            footer="hand over", route="runbooks.hand_over"),
    Command("runbook.stop", "Stop the run", "What runs is ended, what it opened is closed.", ("step",), ("x",), words=("stop-run",), arguments="[WHY]",
            footer="stop", route="runbooks.stop", dangerous=True),
    Command("runbook.preview", "Dry run", "What would run from here on, as things are now; nothing is run.", ("step",), ("d",), footer="dry run",
            route="runbooks.preview"),
    Command("runbook.host_output", "Output of one host", "Of the one under the cursor.", ("step",), ("o",), footer="host's output",
            route="runbooks.output"),
    Command("transcript.next", "Next place", "Where the words stand that were looked for.", ("transcript",), ("n",), footer="next"),
    Command("transcript.previous", "Place before", "Where the words stand that were looked for.", ("transcript",), ("N",)),
    # a chart, on whichever page it stands
    Command("range.wider", "Wider span", "1 h, 6 h, 24 h, 7 d.", _CHARTED, ("plus", "equals_sign"), footer="range"),
    Command("range.narrower", "Narrower span", "7 d, 24 h, 6 h, 1 h.", _CHARTED, ("underscore",)),
    Command("time.back", "Back in time", "Moves the chart half a span into the past.", _CHARTED, ("left_square_bracket",), footer="time"),
    Command("time.forward", "Forward in time", "Moves the chart half a span towards now.", _CHARTED, ("right_square_bracket",)),
    Command("time.now", "Now", "The chart follows again, without a cursor.", _CHARTED, ("full_stop",), words=("now",)),
    Command("cursor.left", "Chart's cursor to the left",
            "Shows time, value, lowest and highest, and what is typical; at the edge the chart moves. The mouse moves it too.", _CHARTED, ("left",)),
    Command("cursor.right", "Chart's cursor to the right", "Towards now; at the edge the chart moves.", _CHARTED, ("right",)),
    Command("cursor.far_left", "Chart's cursor far to the left", "Ten cells.", _CHARTED, ("shift+left",)),
    Command("cursor.far_right", "Chart's cursor far to the right", "Ten cells.", _CHARTED, ("shift+right",)),
    Command("chart.closer", "Zoom in", "Half the span, around the cursor.", _CHARTED, ("x",), words=("closer",)),
    Command("chart.farther", "Zoom out", "Twice the span, around the cursor.", _CHARTED, ("X",), words=("farther",)),
    Command("chart.next", "Next chart", "CPU, memory, load, pressure; of an instance all its figures; of a check too. Or the series named.", _CHARTED, ("m",),
            words=("chart",), arguments="[SERIES]"),
    Command("chart.compare", "Compare", "A second line (○): a day before, a week before, none; or the same of another host.", _CHARTED, ("c",),
            words=("compare",), arguments="[HOST|1d|1w|off]"),
    # the audit log
    Command("audit.verify", "Verify the chain", "Checks every event, MAC and checkpoint.", ("audit", "fleet"), ("V",), words=("verify",),
            route="audit.verify", footer="verify"),
    # people
    Command("person.invite", "Invite somebody", "Makes an account; they enrol with the code that is shown once.", ("people",), ("n",),
            footer="invite", route="accounts.invite"),
    Command("person.grants", "Change what they may do", "Profiles, each bounded by labels of hosts or not.", ("people",), ("e",),
            footer="grants", route="accounts.grants"),
    Command("person.close", "Close the account", "They can no longer log in, and their sessions end.", ("people",), ("delete",),
            footer="close", route="accounts.disable", dangerous=True),
    Command("person.open", "Open the account again", "With the same password and authenticator.", ("people",), ("o",), footer="open again",
            route="accounts.enable"),
    Command("session.end", "End the session", "Whoever has it must log in again.", ("people",), ("x",), footer="end session",
            route="sessions.revoke", dangerous=True),
    # you
    Command("palette", "All commands", "Finds a command by any of its words.", (GLOBAL,), ("ctrl+p",)),
    Command("help", "Help", "The keys that work here, and what they do.", (GLOBAL,), ("question_mark",), words=("help",), footer="help"),
    Command("notices", "Notices", "What was said of late, newest first: what went by too fast to be read.", (GLOBAL,), words=("notices",)),
    Command("theme", "Theme", "Next theme, or the one named.", (GLOBAL,), words=("theme",), arguments="[NAME]"),
    Command("lock", "Lock", "Hides the picture until your password and a code.", (GLOBAL,), ("ctrl+l",), words=("lock",), route="session.lock"),
    Command("logout", "Log out", "Ends this session.", (GLOBAL,), words=("logout",), route="logout"),
    Command("invite", "Invite a person", "Makes an account; they enrol with the code that is shown.", (GLOBAL,), words=("invite",),
            arguments="NAME PROFILE [LABEL=VALUE…]", route="accounts.invite"),
    Command("quit", "Leave", "Says whether the engine goes on.", (GLOBAL,), ("q",), words=("q", "quit")),
    Command("engine.stop", "Stop the engine", "Hosts are no longer watched until it is started again.", (GLOBAL,), words=("stop-engine",),
            route="engine.stop", dangerous=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Typed:
    """A `:` line, understood."""

    command: Command
    arguments: tuple[str, ...]


class Registry:
    """The commands as one person sees them: with their own keys, without what they may not do."""

    def __init__(self, commands: Mapping[str, Command] = COMMANDS) -> None:
        self._commands = dict(commands)

    def offered(
        self, screen: str | tuple[str, ...], permissions: Iterable[str], *, read_only: bool = False
    ) -> list[Command]:  # fmt: skip
        """Commands that work on a screen (by its names) for a session with these permissions."""
        held = set(permissions)
        names = (screen,) if isinstance(screen, str) else screen
        return [
            command
            for command in self._commands.values()
            if any(command.works_on(name) for name in names)
            and (not command.permission or command.permission in held)
            and not (read_only and command.route and ROUTES[command.route].recording != "none")
        ]

    def get(self, name: str) -> Command:
        """The command of this name."""
        return self._commands[name]

    def all(self) -> list[Command]:
        """Every command, in the registry's order."""
        return list(self._commands.values())

    def by_word(self) -> dict[str, Command]:
        """Commands by the words of the `:` line."""
        return {word: command for command in self._commands.values() for word in command.words}

    def parse(self, line: str) -> Typed:
        """Understand a `:` line, e.g. ``silence 2h disk is being replaced``.

        Raises:
            InvalidRequest: no such command (with the nearest), or an open quote.
        """
        try:
            words = shlex.split(line)
        except ValueError:
            # an apostrophe in a note is no quote
            words = line.split()
        if not words:
            raise InvalidRequest("Type a command; tab shows those that there are.")
        known = self.by_word()
        command = known.get(words[0].lower())
        if command is None:
            near = get_close_matches(words[0].lower(), known, 1)
            raise InvalidRequest(
                f"There is no command {words[0]!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            )
        return Typed(command, tuple(words[1:]))

    def complete(self, prefix: str) -> list[str]:
        """Words that begin so, for the `:` line."""
        return sorted(word for word in self.by_word() if word.startswith(prefix.lower()))


_SHOWN_KEYS = {
    "enter": "⏎", "escape": "esc", "slash": "/", "colon": ":", "exclamation_mark": "!", "question_mark": "?",
    "apostrophe": "'", "dollar_sign": "$", "minus": "-", "plus": "+", "equals_sign": "=", "underscore": "_", "left_square_bracket": "[",
    "right_square_bracket": "]", "left": "←", "right": "→",
    "shift+left": "⇧←", "shift+right": "⇧→", "full_stop": ".", "greater_than_sign": ">", "less_than_sign": "<", "space": "space", "delete": "del",
}  # fmt: skip


def shown_key(key: str) -> str:
    """A key as a person reads it: ``slash`` is ``/``."""
    return " ".join(_SHOWN_KEYS.get(part, part.replace("ctrl+", "^")) for part in key.split())
