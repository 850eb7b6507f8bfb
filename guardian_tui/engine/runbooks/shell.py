"""A rendered command as a host is given it: what it may know goes over standard input, so that no list of processes shows it."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence

from guardian_tui.engine.remote.secretly import exports
from guardian_tui.engine.runbooks.documents import Rendered

FED = "GUARDIAN_FED"
"""Variable in which a detached run is handed its input."""

# reads the assignments line by line, a byte at a time, so that what follows is left to the command
_TAKE = """f=
while IFS= read -r l && [ "$l" != "$2" ]; do f="$f$l
"; done
eval "$f"
unset f l
exec /bin/sh -c "$1\""""


def command_line(rendered: Rendered) -> tuple[str, bytes]:
    """The command for a host's login shell, and what it is fed."""
    argv: Sequence[str] = ("/bin/sh", "-c", rendered.command)
    fed = rendered.stdin.encode(errors="surrogateescape")
    if rendered.environment:
        word = f"@{secrets.token_hex(12)}"
        argv = ("/bin/sh", "-c", _TAKE, "sh", rendered.command, word)
        fed = exports(rendered.environment) + f"{word}\n".encode() + fed
    return _as(rendered.user, argv), fed


def script(rendered: Rendered) -> tuple[str, dict[str, str]]:
    """The script of a detached run, and the variables that it alone gets to see."""
    line, fed = command_line(rendered)
    if not fed:
        return f"exec </dev/null\n{line}\n", {}
    # printf is the shell's own: no process shows what it prints
    return f'printf %s "${FED}" | {{ unset {FED}; {line}; }}\n', {FED: fed.decode(errors="surrogateescape")}


def _as(user: str, argv: Sequence[str]) -> str:
    words = shlex.join(argv)
    if not user:
        return f"exec {words}"
    inner = f'if [ "$(id -un)" = {shlex.quote(user)} ]; then exec {words}; fi; exec sudo -n -u {shlex.quote(user)} -- {words}'
    return f"exec {shlex.join(('/bin/sh', '-c', inner))}"
