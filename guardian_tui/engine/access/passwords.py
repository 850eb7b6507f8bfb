"""What a password must be: long enough, not one that everybody tries, not the name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from guardian_tui.protocol.errors import InvalidRequest


@cache
def common_passwords() -> frozenset[str]:
    """Passwords and stems that are tried first (offline list)."""
    text = files("guardian_tui.engine.access").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.split() if line)


def check_password(password: str, name: str, shortest: int) -> None:
    """Raise InvalidRequest, with what to do, unless the password will do.

    Length over character classes, as NIST SP 800-63B has it.
    """
    if len(password) < shortest:
        raise InvalidRequest(
            f"The password has {len(password)} characters; it wants {shortest} or more.", field="password"
        )
    plain = password.lower()
    if len(set(plain)) < 5:
        raise InvalidRequest("The password repeats the same few characters.", field="password")
    if len(name) >= 3 and name.lower() in plain:
        raise InvalidRequest("The password contains the name.", field="password")
    stem = plain.strip("0123456789!?.,;:_-#*+$%& ")
    # a word that is its own rotation is a shorter one repeated
    repeated = (plain + plain).find(plain, 1) < len(plain)
    if plain in common_passwords() or stem in common_passwords() or repeated:
        raise InvalidRequest("The password is one of those that are tried first.", field="password")
