"""How a command runs as another Unix user: the one who may read a database, or owns a repository."""

from __future__ import annotations

# as root no sudo is needed, and often none is there.  setpriv first: it puts the command in its own place, where runuser and su stay above it and, told to end,
# kill it after two seconds, before it cleaned up.  busybox has su but no runuser, and a setpriv that changes no user
_FROM_ROOT = """
home=$(getent passwd "$user" 2>/dev/null | cut -d : -f 6)
if [ -n "$home" ] && setpriv --help 2>/dev/null | grep -q -e --init-groups; then
    HOME=$home USER=$user LOGNAME=$user
    export HOME USER LOGNAME
    exec setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --init-groups -- "$@"
fi
if command -v runuser >/dev/null 2>&1; then exec runuser -u "$user" -- "$@"; fi
exec su -s /bin/sh -c 'exec "$@"' -- "$user" guardian "$@"
"""

_BECOME = (
    """
user=$1; shift
if [ "$(id -un)" = "$user" ]; then exec "$@"; fi
if [ "$(id -u)" != 0 ]; then exec sudo -n -u "$user" -- "$@"; fi
"""
    + _FROM_ROOT
)


def as_user(user: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command as that user; the same command where the user is empty.

    Raises:
        ValueError: no user is named so.
    """
    if not user:
        return argv
    if user.startswith("-") or any(c in user for c in "\0\r\n"):
        raise ValueError(f"No Unix user can be named {user!r}.")
    return ("sh", "-c", _BECOME, "guardian", user, *argv)


# root becomes the usual user of a server where there is one; who can't become the user named stays who he is
_BECOME_SERVER = (
    """
user=$1 usual=$2; shift 2
if [ "$(id -u)" = 0 ]; then user=${user:-$usual}; fi
if [ -z "$user" ] || [ "$(id -un)" = "$user" ] || ! id "$user" >/dev/null 2>&1; then exec "$@"; fi
if [ "$(id -u)" != 0 ]; then
    if sudo -n -u "$user" -- true 2>/dev/null; then exec sudo -n -u "$user" -- "$@"; fi
    exec "$@"
fi
"""
    + _FROM_ROOT
)


def as_server(user: str, usual: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command as that user, where that can be; as root, where none is named, as the usual one of such servers.

    Raises:
        ValueError: no user is named so.
    """
    as_user(user, ())
    return ("sh", "-c", _BECOME_SERVER, "guardian", user, usual, *argv)
