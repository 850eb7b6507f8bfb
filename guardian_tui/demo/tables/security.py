"""What lets people into simulated hosts: firewall, keys, sudoers, SUID files, sshd's settings.  The same for all hosts of a role."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import lines_of, role_of
from guardian_tui.demo.tables.upkeep import public_key

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

_OPEN = {
    "web": "80, 443", "app": "8000, 9100", "db": "5432, 9187", "cache": "6379",
    "queue": "5672, 15672, 25672", "files": "445, 2049", "mail": "25, 587, 993", "lab": "3000, 8888",
}  # fmt: skip


def firewall(figures: Figures) -> Sequence[str]:
    """What comes in is refused but for what the role serves."""
    return _firewall(role_of(figures).name)


@cache
def _firewall(role: str) -> tuple[str, ...]:
    served = f"\n\t\ttcp dport {{ {_OPEN[role]} }} accept" if role in _OPEN else ""
    ruleset = f"""
table inet filter {{
\tchain input {{
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tct state invalid drop
\t\tiif "lo" accept
\t\tmeta l4proto {{ icmp, ipv6-icmp }} accept
\t\ttcp dport 22 ip saddr 10.20.0.0/16 accept{served}
\t}}
\tchain forward {{
\t\ttype filter hook forward priority filter; policy {"accept" if role in ("jump", "lab") else "drop"};
\t}}
\tchain output {{
\t\ttype filter hook output priority filter; policy accept;
\t}}
}}"""
    return lines_of("N", ruleset.replace("\t", " "))


def authorized_keys(figures: Figures) -> Sequence[str]:
    """The keys of admins, of the deployment, and of the probe."""
    return _authorized_keys(role_of(figures).name)


@cache
def _authorized_keys(role: str) -> tuple[str, ...]:
    keys = [
        ("/home/ada/.ssh/authorized_keys", f"{public_key('ada')} ada@laptop"), ("/home/ada/.ssh/authorized_keys", f"{public_key('ada, token')} ada@token"),
        ("/home/grace/.ssh/authorized_keys", f"{public_key('grace')} grace@desk"),
        ("/home/demo/.ssh/authorized_keys", f'restrict,command="guardian-probe" {public_key("probe")} guardian'),
    ]  # fmt: skip
    if role in ("web", "app", "queue"):
        keys.append(("/root/.ssh/authorized_keys", f'from="10.20.0.9",no-agent-forwarding {public_key("deploy")} deploy@ci'))  # fmt: skip
    return tuple(f"R\tK\t{file}\t{line}" for file, line in keys)


_SUDOERS = lines_of(
    "G",
    """
/etc/sudoers:Defaults env_reset
/etc/sudoers:Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/etc/sudoers:root ALL=(ALL:ALL) ALL
/etc/sudoers:%sudo ALL=(ALL:ALL) ALL
/etc/sudoers:@includedir /etc/sudoers.d
/etc/sudoers.d/guardian:demo ALL=(root) NOPASSWD: /usr/bin/ss -Hntuape, /usr/sbin/nft -s list ruleset
""",
)
_SUID_FILES = lines_of(
    "L",
    """
-rwsr-xr-x 1 root root        72072 May  9  2026 /usr/bin/chfn
-rwsr-xr-x 1 root root        52936 May  9  2026 /usr/bin/chsh
-rwxr-sr-x 1 root shadow      31256 May  9  2026 /usr/bin/expiry
-rwsr-xr-x 1 root root        88568 May  9  2026 /usr/bin/gpasswd
-rwsr-xr-x 1 root root        72072 Mar 17  2026 /usr/bin/mount
-rwsr-xr-x 1 root root        18816 May  9  2026 /usr/bin/newgrp
-rwsr-xr-x 1 root root       118168 May  9  2026 /usr/bin/passwd
-rwxr-sr-x 1 root _ssh       420224 Aug  1  2026 /usr/bin/ssh-agent
-rwsr-xr-x 1 root root        84360 Mar 17  2026 /usr/bin/su
-rwsr-xr-x 1 root root       306456 Jun 30  2026 /usr/bin/sudo
-rwsr-xr-x 1 root root        55688 Mar 17  2026 /usr/bin/umount
-rwsr-xr-- 1 root messagebus  51272 Mar  8  2026 /usr/lib/dbus-1.0/dbus-daemon-launch-helper
-rwsr-xr-x 1 root root       494144 Aug  1  2026 /usr/lib/openssh/ssh-keysign
-rwxr-sr-x 1 root shadow      43256 Jan  2  2026 /usr/sbin/unix_chkpwd
""",
)


def sudoers(figures: Figures) -> Sequence[str]:
    """Admins by their group, and the rules of the probe."""
    return _SUDOERS


def suid_files(figures: Figures) -> Sequence[str]:
    """Those of the distribution."""
    return _SUID_FILES


_SSHD = """
port 22
listenaddress 0.0.0.0:22
permitrootlogin {root}
passwordauthentication no
kbdinteractiveauthentication no
pubkeyauthentication yes
permitemptypasswords no
permituserenvironment no
hostbasedauthentication no
strictmodes yes
ignorerhosts yes
gatewayports no
x11forwarding {x11}
allowtcpforwarding {forwarding}
allowagentforwarding no
maxauthtries 4
maxsessions 10
usepam yes
loglevel VERBOSE
authorizedkeysfile .ssh/authorized_keys
ciphers chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com
macs hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com
kexalgorithms mlkem768x25519-sha256,sntrup761x25519-sha512,curve25519-sha256
"""


def sshd_settings(figures: Figures) -> Sequence[str]:
    """Strict, but for a lab's."""
    return _sshd_settings(role_of(figures).name)


@cache
def _sshd_settings(role: str) -> tuple[str, ...]:
    lab = role == "lab"
    settings = _SSHD.format(
        root="prohibit-password" if role in ("web", "app", "queue") else "no",
        x11="yes" if lab else "no",
        forwarding="yes" if lab or role == "jump" else "no",
    )
    return lines_of("T", settings)
