"""A repository of restic as its commands need it: location, options and secrets, what is wrong with them, and how two of them meet in a copy."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from guardian_tui.engine.backups.engines.base import Place
from guardian_tui.protocol.backups import RepositorySpec
from guardian_tui.text import safe

WAITS_FOR_LOCKS = (0, 16)
"""Since when there is ``--retry-lock``."""

LOCATION = "RESTIC_REPOSITORY"
PASSWORD = "RESTIC_PASSWORD"  # noqa: S105  # the variable's name
SECRETS = (
    PASSWORD, LOCATION, "RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "B2_ACCOUNT_ID", "B2_ACCOUNT_KEY",
    "AZURE_ACCOUNT_NAME", "AZURE_ACCOUNT_KEY", "AZURE_ACCOUNT_SAS",
    "GOOGLE_PROJECT_ID", "GOOGLE_ACCESS_TOKEN",
    "OS_USERNAME", "OS_PASSWORD", "OS_AUTH_TOKEN", "OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET",
    "ST_USER", "ST_KEY", "RCLONE_CONFIG_PASS",
)  # fmt: skip
_FROM = {PASSWORD: "RESTIC_FROM_PASSWORD", LOCATION: "RESTIC_FROM_REPOSITORY"}

_FLAGS = ("cacert", "compression", "key-hint", "pack-size", "password-file", "tls-client-cert")
_EXTENDED = re.compile(r"(azure|b2|gs|local|rclone|rest|s3|sftp|swift)\.[a-z0-9-]+\Z")
_REMOTE = re.compile(r"(azure|b2|gs|rclone|rest|s3|sftp|swift):.+")
_PASSWORD_INSIDE = re.compile(r"://[^/@]*:[^/@]+@")


def problem(spec: RepositorySpec) -> str:
    """Why a repository can't be used as it is given, and what to write instead; empty: nothing stands against it."""
    if _PASSWORD_INSIDE.search(spec.location):
        return (
            "A password stands in the location, where everybody reads it. Give it as the secrets RESTIC_REST_USERNAME and"
            " RESTIC_REST_PASSWORD (restic 0.17 or newer), or the whole location as the secret RESTIC_REPOSITORY."
        )
    if not _REMOTE.match(spec.location) and not spec.location.startswith("/"):
        return f"{safe(spec.location, 100)!r} is no location of a restic repository: write a whole path, or one like sftp:user@host:/path."
    if PASSWORD not in spec.secrets and "password-file" not in spec.options:
        return "A restic repository needs its password: give the secret RESTIC_PASSWORD, or the option password-file."
    for variable in spec.secrets:
        if variable not in SECRETS:
            return f"restic reads no secret from {variable}: it knows {', '.join(SECRETS)}."
    for option in spec.options:
        if option not in _FLAGS and not _EXTENDED.match(option):
            return f"restic has no option {safe(option)!r}: it has {', '.join(_FLAGS)}, and those like sftp.command."
    return ""


def copy_secrets(spec: RepositorySpec, other: RepositorySpec) -> Mapping[str, str]:
    """Environment variable → reference of its secret, for copies; restic tells passwords and locations apart, but no other.

    Raises:
        ValueError: both need the same variable, with different secrets, or the same option with different values.
    """
    given = {_FROM.get(name, name): reference for name, reference in spec.secrets.items()}
    for name, reference in other.secrets.items():
        if given.get(name, reference) != reference:
            raise ValueError(f"restic takes one {name} for both repositories, and they have different ones.")
    for option, value in options_of(spec).items():
        if options_of(other).get(option, value) != value:
            raise ValueError(
                f"restic takes one option {option} for both repositories, and they have different ones."
            )
    return {**given, **other.secrets}


def options_of(spec: RepositorySpec) -> dict[str, str]:
    """Those that belong to the program, not to one of two repositories."""
    return {option: value for option, value in spec.options.items() if option != "password-file"}


def base(place: Place) -> tuple[str, ...]:
    """The first words of a command on one repository."""
    return command(place, options_of(place.spec))


def command(place: Place, options: Mapping[str, str]) -> tuple[str, ...]:
    """The same with options that come from more than one."""
    words = ["restic"]
    if LOCATION not in place.spec.secrets:
        words.append(f"--repo={place.spec.location}")
    if "password-file" in place.spec.options:
        words.append(f"--password-file={place.spec.options['password-file']}")
    for option, value in sorted(options.items()):
        words.append(f"--{option}={value}" if option in _FLAGS else f"--option={option}={value}")
    if place.lock_wait_seconds > 0 and place.capabilities.version >= WAITS_FOR_LOCKS:
        words.append(f"--retry-lock={math.ceil(place.lock_wait_seconds)}s")
    return tuple(words)
