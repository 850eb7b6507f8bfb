"""What lets people in: keys, sudoers, files that run as somebody else, sshd's settings.  All of it is held against the baseline."""

from __future__ import annotations

import hashlib
import re
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell
from guardian_tui.engine.fleet.sections.certificates import fingerprint
from guardian_tui.engine.fleet.sections.lines import fixed, texts
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+)\s+([A-Za-z0-9+/=]{16,})\s*(.*)$")


class AuthorizedKeys(Section):
    """``K file line`` of each line that lets somebody in."""

    name: ClassVar[str] = "authorized_keys"
    forks: ClassVar[bool] = True
    drift: ClassVar[tuple[str, ...]] = ("new", "changed")
    timeout_seconds: ClassVar[float] = 30.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each key; its account is told by its home."""
        rows: list[tuple[Cell, ...]] = []
        items: dict[str, str] = {}
        for file, line in fixed(raw, "K", 2):
            match = _KEY.search(line)
            print_ = fingerprint(match[2]) if match else ""
            if match is None or not print_:
                raw.problem(f"{cell(file, 60)}: not a key: {cell(line, 30)}")
                continue
            options = line[: match.start(1)].strip()
            item = f"{cell(file, 120)} {print_}"
            if item in items:
                continue
            user = file.split("/.ssh/", 1)[0].rsplit("/", 1)[-1]
            rows.append(
                (
                    cell(user, 60),
                    cell(match[1], 40),
                    print_,
                    cell(match[3], 80),
                    cell(options, 200),
                    cell(file, 120),
                )
            )
            items[item] = cell(f"{match[1]} {match[3]} {options}".strip(), 200)
        return Findings(tuple(rows), items=items)


class Sudoers(Section):
    """``G`` lines ``file:line`` of /etc/sudoers and what lies beside it."""

    name: ClassVar[str] = "sudoers"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each line that says something; each file is held against the baseline."""
        rows: list[tuple[Cell, ...]] = []
        files: dict[str, list[str]] = {}
        for text in texts(raw, "G"):
            file, _, line = text.partition(":")
            line = line.strip()
            if line and not line.startswith("#"):
                files.setdefault(file, []).append(line)
                rows.append((cell(line), "yes" if "NOPASSWD" in line else "", cell(file, 120)))
        items = {cell(file, 120): f"{len(lines)} lines, {_digest(lines)}" for file, lines in files.items()}
        return Findings(tuple(rows), items=items or None)


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:12]


class SuidFiles(Section):
    """``L`` lines of `ls -l`."""

    name: ClassVar[str] = "suid_files"
    forks: ClassVar[bool] = True
    drift: ClassVar[tuple[str, ...]] = ("new", "changed")
    timeout_seconds: ClassVar[float] = 75.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each; its date and size change with each update and are not compared."""
        rows: list[tuple[Cell, ...]] = []
        items = {}
        for text in texts(raw, "L"):
            words = text.split(None, 8)
            if len(words) < 9 or not words[8].startswith("/"):
                raw.problem(f"not understood: {cell(text, 60)}")
                continue
            mode, _, owner, group, path = words[0], words[1], words[2], words[3], words[8]
            rows.append((cell(path), cell(owner, 40), cell(group, 40), cell(mode, 12)))
            items[cell(path)] = cell(f"{owner} {group} {mode}", 100)
        return Findings(tuple(rows), items=items or None)


_RISKS = {
    "permitrootlogin": {"yes": "root may log in, by password too"},
    "passwordauthentication": {"yes": "passwords can be guessed"},
    "permitemptypasswords": {"yes": "accounts without a password are open"},
    "permituserenvironment": {"yes": "users may set what login programs load"},
    "hostbasedauthentication": {"yes": "another host vouches for its users"},
    "strictmodes": {"no": "keys that others may write are taken"},
    "ignorerhosts": {"no": "users may trust hosts"},
    "gatewayports": {"yes": "forwarded ports are open to the network"},
    "x11forwarding": {"yes": "a hostile host may read the screen of who logs in"},
    "protocol": {"1": "broken", "2,1": "the first protocol is broken", "1,2": "the first protocol is broken"},
}
_WEAK = {
    "ciphers": re.compile(r"3des|arcfour|blowfish|cast128|-cbc"),
    "macs": re.compile(r"md5|hmac-sha1(?!-etm)|umac-64(?!-etm)|ripemd"),
    "kexalgorithms": re.compile(r"group1-sha1|group14-sha1|group-exchange-sha1"),
    "hostkeyalgorithms": re.compile(r"ssh-dss|ssh-rsa(?!-)"),
    "pubkeyacceptedalgorithms": re.compile(r"ssh-dss|ssh-rsa(?!-)"),
}
_SHOWN = (
    "port", "listenaddress", "allowusers", "allowgroups", "denyusers", "denygroups", "authorizedkeysfile", "authorizedkeyscommand",
    "trustedusercakeys", "pubkeyauthentication", "kbdinteractiveauthentication", "allowtcpforwarding", "allowagentforwarding", "maxauthtries",
    "maxsessions", "forcecommand", "chrootdirectory", "usepam", "loglevel", *_RISKS, *_WEAK,
)  # fmt: skip


class SshdSettings(Section):
    """``T`` lines of `sshd -T`, what is in force; ``C`` lines of its files, of which the first of a name counts."""

    name: ClassVar[str] = "sshd_settings"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each setting that matters, with what is risky about it."""
        found: dict[str, list[str]] = {}
        whole = list(texts(raw, "T"))
        for text in whole or texts(raw, "C"):
            words = text.replace("=", " ", 1).split(None, 1)
            if len(words) == 2 and words[0].lower() in _SHOWN:
                found.setdefault(words[0].lower(), []).append(words[1].strip())
        rows: list[tuple[Cell, ...]] = []
        items = {}
        for name in _SHOWN:
            values = found.get(name)
            if not values:
                continue
            value = (
                " ".join(values)
                if name in ("port", "listenaddress") or name.endswith(("users", "groups"))
                else values[0]
            )
            rows.append((name, cell(value), _risk(name, value)))
            items[name] = cell(value)
        return Findings(tuple(rows), items=items or None)


def _risk(name: str, value: str) -> str:
    weak = _WEAK.get(name)
    if weak is not None:
        # of a file's `-name` and `^name` lists nothing is judged: what they change is not known here
        return (
            cell("weak: " + " ".join(one for one in value.split(",") if weak.search(one)), 200)
            if weak.search(value) and value[0] not in "-"
            else ""
        )
    return _RISKS.get(name, {}).get(value.lower(), "")
