"""What is known of programs: which run what they are given, which start others, which change something, which take something away."""

from __future__ import annotations

from guardian_tui.engine.runbooks.documents.shell import Reading, Word

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh"})
RUNS_CODE = frozenset(
    {
        "eval", "source", ".", "ssh", "xargs", "parallel", "watch", "trap", "let", "declare", "typeset", "unset", "read", "mapfile", "readarray",
        "getopts", "alias", "[[", "((", "expect", "script", "screen", "tmux", "at", "batch", "chroot", "nsenter", "scp", "sftp", "pdsh", "ansible",
    }
)  # fmt: skip
"""Programs and words of the shell that run, or read once more, what they are given."""
BECOMES: dict[str, tuple[str, ...]] = {
    "su": ("-c", "--command"), "runuser": ("-c", "--command"), "sudo": ("-s", "-i", "--shell", "--login"), "env": ("-S", "--split-string"),
}  # fmt: skip
"""Programs that become a shell with one of these options."""
STARTS: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R"}), "doas": frozenset({"-u", "-C"}), "env": frozenset({"-u", "-C"}),
    "nice": frozenset({"-n"}), "ionice": frozenset({"-c", "-n"}), "timeout": frozenset({"-s", "-k"}), "stdbuf": frozenset({"-i", "-o", "-e"}),
    "nohup": frozenset(), "setsid": frozenset(), "exec": frozenset({"-a"}), "command": frozenset(), "builtin": frozenset(), "time": frozenset({"-f", "-o"}),
    "busybox": frozenset(),
}  # fmt: skip
"""Programs that start the one that is named after them, and their options that take a word."""
_FINDS = frozenset({"-exec", "-execdir", "-ok", "flock", "unshare", "systemd-run", "su", "runuser"})
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

CODE_AFTER: dict[str, tuple[str, ...]] = {
    "psql": ("-c", "--command"), "mysql": ("-e", "--execute"), "mariadb": ("-e", "--execute"), "perl": ("-e", "-E"), "ruby": ("-e",), "php": ("-r",),
    "python": ("-c",), "python3": ("-c",), "node": ("-e", "--eval"), "sed": ("-e", "--expression"), "awk": (), "gawk": ("-e", "--source"),
    "mawk": (), "jq": (), "mongosh": ("--eval",), "redis-cli": ("eval", "EVAL"),
    # bash evaluates the subscript of a variable that it is asked about
    "test": ("-v",), "[": ("-v",), "printf": ("-v",),
}  # fmt: skip
"""Programs, and their options after which code stands."""
CODE_FIRST = frozenset({"sed", "awk", "gawk", "mawk", "jq", "perl"})
"""Their first argument is a program."""
_READS_CODE = (
    SHELLS
    | (set(CODE_AFTER) - CODE_FIRST - {"test", "[", "printf"})
    | {"sqlite3", "ssh", "at", "batch", "ed", "crontab", "xargs"}
)

NO_DASHES = frozenset(
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
        "rm", "dd", "mkfs", "shred", "reboot", "shutdown", "poweroff", "halt", "kill", "pkill", "killall", "userdel", "truncate", "dropdb", "nft", "iptables",
    }
)  # fmt: skip
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
_SYSTEMCTL_WRITES = frozenset(
    {
        "start", "stop", "restart", "reload", "reload-or-restart", "try-restart", "enable", "disable", "mask", "unmask", "kill", "reset-failed", "isolate",
        "daemon-reload", "reboot", "poweroff", "halt", "set-property", "edit",
    }
)  # fmt: skip
_SYSTEMCTL_DANGEROUS = frozenset(
    {"stop", "restart", "kill", "disable", "mask", "isolate", "reboot", "poweroff", "halt"}
)


def may_follow(before: list[Word]) -> bool:
    """Whether what follows these words is a program, or can be one."""
    if not before:
        return True
    starts = any(one.base in STARTS or one.base in _FINDS for one in before)
    return starts and not any(one.base in _INERT for one in before)


def takes_code(reading: Reading) -> str:
    """The first program of a command that runs what it is fed; empty if there is none."""
    return next(
        (word.base for command in reading.commands for word in command if word.base in _READS_CODE), ""
    )


def writes(reading: Reading) -> str:
    """The first word of a command that is known to change something; empty if there is none."""
    return _first(reading, _WRITES, _SYSTEMCTL_WRITES)


def is_dangerous(reading: Reading) -> str:
    """The first word of a command that is known to do what can't be had back, or to take a service away; empty if there is none."""
    return _first(reading, _DANGEROUS, _SYSTEMCTL_DANGEROUS)


def _first(reading: Reading, programs: frozenset[str], verbs: frozenset[str]) -> str:
    for command in reading.commands:
        words = [one.base for one in command if not one.target and not one.bare.startswith("-")]
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
