"""Configurations of resticprofile as set-ups: what they take in, what they inherit, and what their templates come to, as far as files alone tell."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from guardian_tui.engine.backups.discovery.documents import (
    NotRead,
    Plain,
    mapping,
    put_together,
    read_document,
    text_of,
    texts,
)
from guardian_tui.engine.backups.discovery.reading import File, Readings
from guardian_tui.engine.backups.discovery.setups import Setup, restic

MOST_PROFILES = 50
MOST_INCLUDED = 50
LONGEST = 1 << 19
_BESIDE = frozenset(("version", "global", "groups", "includes", "profiles", "mixins", "schedules", "default-command"))  # fmt: skip
_DEFINED = re.compile(
    r"\{\{-?\s*define\s+\"([^\"]+)\"\s*-?\}\}((?:(?!\{\{-?\s*(?:if|range|with|block|define)\b).)*?)\{\{-?\s*end\s*-?\}\}",
    re.DOTALL,
)
_TAKEN = re.compile(r"\{\{-?\s*template\s+\"([^\"]+)\"[^}]*\}\}")
_STEERED = re.compile(r"\{\{-?\s*(?:if|range|with|block|define|else|end)\b[^}]*\}\}")
_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_FILLED = re.compile(r"\{\{-?\s*\.([A-Za-z.]+)\s*-?\}\}")
_LEFT = re.compile(r"\{\{[^}]*\}\}|\$\{[^}]*\}")


def is_profiles(path: str) -> bool:
    """Whether a file is one of those that resticprofile looks for itself."""
    return posixpath.basename(path).startswith("profiles.") or "/profiles.d/" in path


def takes_in(file: File) -> list[str]:
    """Whole paths, or patterns of them, that a configuration takes in."""
    if "includes" not in (file.text or ""):
        return []
    try:
        document = _document(file)
    except NotRead:
        return []
    folder = posixpath.dirname(file.path)
    return [posixpath.join(folder, one) for one in texts(document.get("includes"))][:MOST_INCLUDED]


def resticprofile(files: list[File], read: Readings) -> list[Setup]:
    """The profiles of some files that have a repository, each a set-up of its own; what one takes in is none by itself."""
    patterns = {file.path: takes_in(file) for file in files}
    inner = {path for some in patterns.values() for pattern in some for path in _matching(pattern, read)}
    return [
        setup
        for file in files
        if file.path not in inner or patterns[file.path]
        for setup in _of_file(file, patterns[file.path], read)
    ]


def _matching(pattern: str, read: Readings) -> list[str]:
    return [path for path in sorted(read.files) if fnmatchcase(path, pattern)][:MOST_INCLUDED]


def _of_file(file: File, patterns: list[str], read: Readings) -> list[Setup]:
    if file.text is None:
        return [Setup("resticprofile", file.path, file.why)]
    left_out = []
    try:
        document = _document(file)
        for pattern in patterns:
            found = [path for path in _matching(pattern, read) if path != file.path]
            for path in found:
                document = put_together(document, _document(read.files[path]))
            if not found:
                left_out.append(pattern)
    except NotRead as error:
        return [Setup("resticprofile", file.path, str(error))]
    named = mapping(document.get("profiles")) if "profiles" in document else {
        name: value for name, value in document.items() if name not in _BESIDE
    }  # fmt: skip
    setups = []
    for name in list(named)[:MOST_PROFILES]:
        profile = _inherited(named, name)
        location = text_of(profile.get("repository"))
        if location:
            setups.append(_profile(file, name, _filled(profile, _known(file, name, read))))
    setups = setups or [Setup("resticprofile", file.path, "no profile in it names a repository")]
    for setup in setups if left_out else ():
        words = f"it takes in {', '.join(left_out[:3])}, of which there is no file that could be read"
        setup.why = f"{setup.why}; {words}" if setup.why else words
    return setups


def _document(file: File) -> dict[str, Plain]:
    """A file as it is once its own templates were put in.

    Raises:
        NotRead: it can't be read; says why, and which template stands against it.
    """
    if file.text is None:
        raise NotRead(f"{file.path}: {file.why}")
    text = _COMMENT.sub("", file.text)
    defined = dict(_DEFINED.findall(text))
    text = _DEFINED.sub("", text)
    for _ in range(5):
        if not _TAKEN.search(text) or len(text) > LONGEST:
            break
        text = _TAKEN.sub(lambda one: defined.get(one[1], ""), text)
    try:
        return read_document(file.path, text)
    except NotRead as error:
        steered = _STEERED.search(text)
        if steered is None:
            raise
        raise NotRead(
            f"it is a template that only resticprofile can follow ({steered[0]}): see what resticprofile show says, and add the repository by hand"
        ) from error


def _inherited(named: Mapping[str, Plain], name: str) -> dict[str, Plain]:
    """A profile with what it takes over from others."""
    chain: list[str] = []
    while name and name not in chain and len(chain) < 20:
        chain.append(name)
        name = text_of(mapping(named.get(name)).get("inherit"))
    merged: dict[str, Plain] = {}
    for one in reversed(chain):
        for key, value in mapping(named.get(one)).items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = {**mapping(merged.get(key)), **mapping(value)} if both else value
    return merged


def _known(file: File, name: str, read: Readings) -> dict[str, str]:
    """What templates of a profile say that can be told without running it."""
    known = {
        "Profile.Name": name, "ConfigDir": posixpath.dirname(file.path), "Hostname": read.machine,
        "Env.HOME": read.home, "Env.USER": read.user, "Env.LOGNAME": read.user,
    }  # fmt: skip
    return {key: value for key, value in known.items() if value}


def _filled(values: dict[str, Plain], known: Mapping[str, str]) -> dict[str, Plain]:
    def one(value: Plain) -> Plain:
        if isinstance(value, dict):
            return {key: one(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [one(inner) for inner in value]
        return _FILLED.sub(lambda found: known.get(found[1], found[0]), value)

    return {key: one(value) for key, value in values.items()}


def _profile(file: File, name: str, profile: Mapping[str, Plain]) -> Setup:
    setup = Setup("resticprofile", file.path, profile=name)
    location = text_of(profile.get("repository"))
    env = {key.upper(): text_of(value) for key, value in mapping(profile.get("env")).items()}
    options = {
        key: text_of(profile.get(key))
        for key in ("password-file", "password-command", "cacert")
        if profile.get(key)
    }
    for pair in texts(profile.get("option")):
        key, _, value = pair.partition("=")
        options[key] = value
    folder = posixpath.dirname(file.path)
    setup.repositories = [restic(location, env, options, folder)]
    left = next((found[0] for text in (location, *options.values()) if (found := _LEFT.search(text))), "")
    if left:
        setup.why = f"{left} is a template that is filled in only when it runs: see what it comes to, and add the repository by hand"
    setup.sources = texts(mapping(profile.get("backup")).get("source"))
    for operation, section in profile.items():
        planned = mapping(section).get("schedule")
        for when in texts(mapping(planned).get("at") if isinstance(planned, dict) else planned):
            setup.declared.append((f"resticprofile {operation}", when))
    setup.signs = tuple(
        posixpath.join(folder, path) for key in ("status-file", "log") if (path := text_of(profile.get(key)))
    )
    return setup
