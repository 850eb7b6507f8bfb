"""Configurations of borgmatic, resticprofile and pgBackRest as set-ups.  After their documentation: borgmatic 1.5 to 2, resticprofile 0.20 and later, pgBackRest 2."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from guardian_tui.engine.backups.discovery.documents import (
    NotRead,
    Plain,
    includes,
    mapping,
    read_document,
    read_ini,
    text_of,
    texts,
)
from guardian_tui.engine.backups.discovery.reading import File
from guardian_tui.engine.backups.discovery.setups import Found, Setup, borg, restic

MOST_REPOSITORIES = 50
_SECTIONS = ("location", "storage", "retention", "consistency", "output", "hooks")
_RESTICPROFILE = frozenset(("version", "global", "groups", "includes", "profiles", "mixins", "schedules", "default-command"))  # fmt: skip
_TEMPLATE = "it is made by a template or a variable: see what it comes to, and add it by hand"
PGBACKREST = ("/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf")


def borgmatic(file: File, home: str) -> Setup:
    """One file of borgmatic, with sections (until 1.7) or flat."""
    setup = Setup("borgmatic", file.path, file.why)
    if file.text is None:
        return setup
    try:
        sections = read_document(file.path, file.text)
    except NotRead as error:
        setup.why = str(error)
        return setup
    flat: dict[str, Plain] = dict(sections)
    for name in _SECTIONS:
        flat |= mapping(sections.get(name))
    options = {
        "passcommand": text_of(flat.get("encryption_passcommand")), "rsh": text_of(flat.get("ssh_command")),
        "remote-path": text_of(flat.get("remote_path")),
    }  # fmt: skip
    setup.sources = texts(flat.get("source_directories"))
    listed = flat.get("repositories")
    for one in listed[:MOST_REPOSITORIES] if isinstance(listed, list) else ():
        path = text_of(mapping(one).get("path")) or text_of(one)
        if path:
            found = borg(path, text_of(flat.get("encryption_passphrase")), options, home)
            found.label = text_of(mapping(one).get("label"))
            setup.repositories.append(found)
    if includes(file.text):
        setup.why = "it takes in another file, which is not followed: what stands there is left out"
    elif not setup.repositories:
        setup.why = "it names no repository"
    return setup


def resticprofile(file: File) -> list[Setup]:
    """The profiles of a file that have a repository, each a set-up of its own."""
    if file.text is None:
        return [Setup("resticprofile", file.path, file.why)]
    try:
        document = read_document(file.path, file.text)
    except NotRead as error:
        return [Setup("resticprofile", file.path, str(error))]
    named = mapping(document.get("profiles")) if "profiles" in document else {
        name: value for name, value in document.items() if name not in _RESTICPROFILE
    }  # fmt: skip
    setups = []
    for name in list(named)[:MOST_REPOSITORIES]:
        profile = _inherited(named, name)
        location = text_of(profile.get("repository"))
        if location:
            setups.append(_profile(file, name, profile, location))
    if not setups:
        return [Setup("resticprofile", file.path, "no profile in it names a repository")]
    return setups


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


def _profile(file: File, name: str, profile: Mapping[str, Plain], location: str) -> Setup:
    setup = Setup("resticprofile", file.path, profile=name)
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
    if any("{{" in text or "${" in text for text in (location, *options.values())):
        setup.why = _TEMPLATE
    setup.sources = texts(mapping(profile.get("backup")).get("source"))
    for operation, section in profile.items():
        planned = mapping(section).get("schedule")
        for when in texts(mapping(planned).get("at") if isinstance(planned, dict) else planned):
            setup.declared.append((f"resticprofile {operation}", when))
    setup.signs = tuple(
        posixpath.join(folder, path) for key in ("status-file", "log") if (path := text_of(profile.get(key)))
    )
    return setup


def pgbackrest(files: list[File], user: str) -> list[Setup]:
    """The stanzas of each file, with what all of them say of all stanzas.

    Args:
        files: all that pgBackRest would read.
        user: who reads them; pgBackRest must run as the owner of its repository.
    """
    read: dict[str, dict[str, dict[str, str]]] = {}
    setups: list[Setup] = []
    for file in files:
        if file.text is None:
            setups.append(Setup("pgbackrest", file.path, file.why))
            continue
        try:
            read[file.path] = read_ini(file.text)
        except NotRead as error:
            setups.append(Setup("pgbackrest", file.path, str(error)))
    common: dict[str, str] = {}
    for sections in read.values():
        common |= sections.get("global", {})
    for path, sections in read.items():
        setup = Setup("pgbackrest", path)
        for name, own in sections.items():
            if name.partition(":")[0] != "global" and ":" not in name:
                setup.repositories += _stanza(name, {**common, **own}, path, user)
        if setup.repositories:
            setups.append(setup)
    return setups


def _stanza(name: str, options: Mapping[str, str], path: str, user: str) -> list[Found]:
    numbers = sorted(
        {key[4] for key in options if key.startswith("repo") and key[4:5].isdigit() and key[5:6] == "-"}
    ) or ["1"]
    found = []
    for number in numbers[:8]:
        own: dict[str, str] = {}
        if len(numbers) > 1:
            own["repo"] = number
        if path not in PGBACKREST and "/conf.d/" not in path:
            own["config"] = path
        if user != "postgres":
            own["user"] = "postgres"
        for key, option in (("pg1-socket-path", "socket"), ("pg1-port", "port"), ("pg1-user", "role")):
            if options.get(key):
                own[option] = options[key]
        kind = options.get(f"repo{number}-type", "posix")
        where = options.get(f"repo{number}-path", "/var/lib/pgbackrest")
        bucket = options.get(f"repo{number}-{kind}-bucket") or options.get(f"repo{number}-host", "")
        label = f"{kind} {bucket}{':' if bucket else ''}{where}" if bucket or kind != "posix" else where
        logs = options.get("log-path", "/var/log/pgbackrest")
        signs = (f"{where}/backup/{name}/backup.info", f"{logs}/{name}-backup.log")
        found.append(Found("pgbackrest", name, label, own, how="its own configuration", signs=signs))
    return found
