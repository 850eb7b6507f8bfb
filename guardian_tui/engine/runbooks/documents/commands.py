"""What a command may not do with values: be where quoting does not reach, or be code for a program that runs what it is given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise

from guardian_tui.engine.runbooks.documents.findings import Severity
from guardian_tui.engine.runbooks.documents.model import Variable
from guardian_tui.engine.runbooks.documents.rendering import placeholders
from guardian_tui.engine.runbooks.documents.shell import Reading, Word, read_command

Note = Callable[[str, str, str, int, Severity], None]
"""Takes a code, words, a hint, an offset and how bad it is."""

BY_ENVIRONMENT = 'Hand the value over by env: {NAME: "{{x}}"} and write "$NAME" here.'
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh"})
_RUNS_CODE = frozenset(
    {
        "eval", "source", ".", "ssh", "xargs", "parallel", "watch", "trap", "let", "declare", "typeset", "unset", "alias", "[[", "((",
        "expect", "script", "screen", "tmux", "at", "batch", "chroot", "nsenter", "scp", "sftp", "pdsh", "ansible",
    }
)  # fmt: skip
"""Programs and words of the shell that run, or read once more, what they are given."""
_WRAPPERS = frozenset(
    {"sudo", "doas", "env", "nice", "ionice", "nohup", "setsid", "timeout", "exec", "command", "stdbuf", "flock", "-exec", "-execdir", "-ok", "unshare",
     "systemd-run", "time", "su", "runuser", "busybox"}
)  # fmt: skip
_INERT = frozenset(
    {
        "systemctl",
        "service",
        "journalctl",
        "apt-get",
        "apt",
        "dpkg",
        "grep",
        "pgrep",
        "echo",
        "printf",
        "ls",
        "cat",
    }
)
_BECOMES = {
    "su": ("-c", "--command"),
    "runuser": ("-c", "--command"),
    "sudo": ("-s", "-i", "--shell", "--login"),
    "env": ("-S", "--split-string"),
}
_CODE_AFTER = {
    "psql": ("-c", "--command"), "mysql": ("-e", "--execute"), "mariadb": ("-e", "--execute"), "perl": ("-e", "-E"), "ruby": ("-e",), "php": ("-r",),
    "python": ("-c",), "python3": ("-c",), "node": ("-e", "--eval"), "sed": ("-e", "--expression"), "awk": (), "gawk": ("-e", "--source"),
    "mawk": (), "jq": (), "mongosh": ("--eval",), "redis-cli": ("eval", "EVAL"),
}  # fmt: skip
_CODE_FIRST = frozenset({"sed", "awk", "gawk", "mawk", "jq", "perl"})
"""Their first argument is a program."""
_PROTECTED = frozenset(
    {
        "systemctl",
        "journalctl",
        "kill",
        "echo",
        "printf",
        "test",
        "[",
        "find",
        "date",
        "stat",
        "curl",
        "ip",
        "dpkg-query",
        "case",
        "for",
    }
)
"""Programs for which ``--`` is no habit or no help."""
_WRITES = frozenset(
    {
        "rm", "rmdir", "mv", "cp", "dd", "mkfs", "chmod", "chown", "truncate", "shred", "reboot", "shutdown", "poweroff", "halt", "kill", "pkill", "killall",
        "useradd", "userdel", "usermod", "passwd", "chpasswd", "ln", "install", "tee", "mkdir", "touch", "apt-get", "apt", "dnf", "yum", "apk",
        "pg_ctl", "pg_ctlcluster", "fallocate", "umount", "mount", "iptables", "nft", "certbot", "dropdb", "createdb", "pg_restore",
    }
)  # fmt: skip
_DANGEROUS = frozenset(
    {
        "rm",
        "dd",
        "mkfs",
        "shred",
        "reboot",
        "shutdown",
        "poweroff",
        "halt",
        "kill",
        "pkill",
        "killall",
        "userdel",
        "truncate",
        "dropdb",
        "nft",
        "iptables",
    }
)
_READS = {
    "apt-get": {"check"},
    "apt": {"list", "show", "policy"},
    "certbot": {"certificates"},
    "nft": {"list"},
}
"""Words with which such a program only looks."""
_ONLY_LOOKS = frozenset(
    {"--dry-run", "--simulate", "--just-print", "--no-act", "--help", "--version", "--status"}
)
_NEVER_OPTIONS = frozenset({"int", "number", "datetime", "duration"})
_SYSTEMCTL_WRITES = frozenset(
    {"start", "stop", "restart", "reload", "reload-or-restart", "try-restart", "enable", "disable", "mask", "unmask", "kill", "reset-failed", "isolate", "daemon-reload",
     "reboot", "poweroff", "halt", "set-property", "edit"}
)  # fmt: skip
_SYSTEMCTL_DANGEROUS = frozenset(
    {"stop", "restart", "kill", "disable", "mask", "isolate", "reboot", "poweroff", "halt"}
)

_PLACES = {
    "quoted": ("stands in quotes", "Take the quotes away: the value is quoted by itself."),
    "escaped": ("stands behind a backslash, which would undo its quotes", "Take the backslash away."),
    "dollar": ("stands behind a $", "Take the $ away."),
    "comment": ("stands in a comment, which a line break in it would end", "Take it out of the comment."),
    "in-expansion": ("stands in ${…}", BY_ENVIRONMENT),
}
_CONSTRUCTS = {
    "substitution": "$(…)", "backtick": "backticks", "heredoc": "a heredoc", "arithmetic": "arithmetic", "ansi-quote": "$'…'",
}  # fmt: skip


def check_command(
    text: str, env: Mapping[str, str], variables: Mapping[str, Variable], note: Note
) -> Reading:
    """Note where values in a command would not be safe.

    Args:
        text: the command.
        env: its environment, by name.
        variables: those that there are; others are named elsewhere.
        note: takes the findings.
    """
    reading = read_command(text)
    valued = {*env, *reading.assigned}
    used = list(placeholders(text))
    for odd in reading.oddities:
        if odd.code in _PLACES:
            words, hint = _PLACES[odd.code]
            note(f"placeholder-{odd.code}", f"A placeholder {words}.", hint, odd.offset, "error")
        elif odd.code == "open-quote":
            note("open-quote", "A quote or a bracket is not closed.", "Close it.", odd.offset, "error")
        elif odd.code in _CONSTRUCTS and used:
            note(
                "placeholder-with-code",
                f"A command with placeholders has {_CONSTRUCTS[odd.code]}.",
                BY_ENVIRONMENT,
                odd.offset,
                "error",
            )
        elif odd.code == "bare-variable" and odd.name in valued:
            note("bare-variable", f"${odd.name} stands outside of double quotes: the shell would split its value and look for files.",
                 f'Write "${odd.name}".', odd.offset, "error")  # fmt: skip
    for name, offset in used:
        if name in variables and variables[name].secret:
            note(
                "secret-in-command",
                f"The secret {name} would be seen in the list of processes.",
                BY_ENVIRONMENT,
                offset,
                "error",
            )
    for command in reading.commands:
        if command:
            _check_simple(command, valued, bool(used), variables, note)
    return reading


def _check_simple(
    command: list[Word], env: Collection[str], used: bool, variables: Mapping[str, Variable], note: Note
) -> None:
    first = command[0]
    if first.placeholders:
        note(
            "placeholder-as-program",
            "A value would say which program runs.",
            "Write the program's name; let a choose step lead to one of several.",
            first.offset,
            "error",
        )
    for place, word in enumerate(command):
        runs_code = word.base in _RUNS_CODE and _in_program_place(command[:place])
        if word.base in _SHELLS or runs_code:
            _check_code(command[place:], env, used, note)
            break
        if word.base in _BECOMES and any(one.bare in _BECOMES[word.base] for one in command[place + 1 :]):
            _check_code(command[place:], env, used, note)
            break
        if word.base in _CODE_AFTER:
            _check_program(command[place:], env, note)
            break
    _check_options(command, variables, note)


def _in_program_place(before: list[Word]) -> bool:
    """Whether what follows these words is a program, or can be one."""
    return not before or (
        any(one.base in _WRAPPERS for one in before) and not any(one.base in _INERT for one in before)
    )


def _check_code(command: list[Word], env: Collection[str], used: bool, note: Note) -> None:
    """A command that begins with something that runs what it is given."""
    head = command[0]
    if used:
        note(
            "placeholder-with-code",
            f"A command with placeholders has {head.bare[:40]}, which runs what it is given.",
            BY_ENVIRONMENT,
            head.offset,
            "error",
        )
    if head.base in _SHELLS:
        # sh -c '…' x "$NAME" hands a value over as an argument; only the code itself may have none
        place = next(
            (n for n, one in enumerate(command) if n and one.bare.startswith("-") and "c" in one.bare), None
        )
        suspects = command[1:2] if place is None else command[place + 1 : place + 2]
    else:
        suspects = command[1:]
    for word in suspects:
        for name in word.variables:
            if name in env:
                note("value-as-code", f"{head.bare[:40]} would run the value of {name} as code.",
                     "Hand it over as an argument, or on standard input.", word.offset, "error")  # fmt: skip


def _check_program(command: list[Word], env: Collection[str], note: Note) -> None:
    """A command whose arguments are code in part: SQL, or a program of sed or awk."""
    head, code = command[0], []
    options = _CODE_AFTER[head.base]
    for before, word in pairwise(command):
        glued = any(word.bare.startswith(option) and word.bare != option for option in options)
        if before.bare in options or glued:
            code.append(word)
    if not code and head.base in _CODE_FIRST:
        code = [one for one in command[1:] if not one.bare.startswith("-")][:1]
    for word in code:
        if word.placeholders or any(name in env for name in word.variables):
            hint = (
                "Feed the SQL by stdin: with :'x', and give psql -v x={{x}}."
                if head.base == "psql"
                else "Hand the value over as an argument or in the environment."
            )
            note("value-as-code", f"{head.base} would run a value as code.", hint, word.offset, "error")


def _check_options(command: list[Word], variables: Mapping[str, Variable], note: Note) -> None:
    if command[0].base in _PROTECTED or any(one.bare == "--" for one in command):
        return
    for before, word in pairwise(command):
        # what follows an option is its argument
        first = (
            variables.get(word.placeholders[0]) if word.placeholders and word.text.startswith("{{") else None
        )
        if (
            first
            and first.type not in _NEVER_OPTIONS
            and not first.pattern
            and not before.bare.startswith("-")
        ):
            note("no-double-dash", "No -- stands before this value. Its type refuses a leading -, but a reader can't see that.",
                 "Write -- before it, if the program knows that.", word.offset, "hint")  # fmt: skip
            return


def takes_code(reading: Reading) -> str:
    """The first program of a command that runs what it is fed; empty if there is none."""
    known = (
        _SHELLS | set(_CODE_AFTER) - _CODE_FIRST | {"sqlite3", "ssh", "at", "batch", "ed", "crontab", "xargs"}
    )
    return next((word.base for command in reading.commands for word in command if word.base in known), "")


def writes(reading: Reading) -> str:
    """The first word of a command that is known to change something; empty if there is none."""
    return _first(reading, _WRITES, _SYSTEMCTL_WRITES)


def is_dangerous(reading: Reading) -> str:
    """The first word of a command that is known to do what can't be had back, or to take a service away; empty if there is none."""
    return _first(reading, _DANGEROUS, _SYSTEMCTL_DANGEROUS)


def _first(reading: Reading, programs: frozenset[str], verbs: frozenset[str]) -> str:
    for command in reading.commands:
        words = [one.base for one in command if not one.bare.startswith("-")]
        for prefix in ("sudo", "env", "nice", "timeout"):
            words = words[1:] if words[:1] == [prefix] else words
        if (
            not words
            or any(one.bare in _ONLY_LOOKS for one in command)
            or _READS.get(words[0], set()) & set(words[1:])
        ):
            continue
        if words[0] == "systemctl" and words[1:2] and words[1] in verbs:
            return f"systemctl {words[1]}"
        if words[0] in programs or words[0].partition(".")[0] in programs:
            return words[0]
    return ""
