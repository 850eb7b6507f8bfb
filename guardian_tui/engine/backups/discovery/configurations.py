"""Configurations of borgmatic and pgBackRest as set-ups.  After their documentation: borgmatic 1.5 to 2, pgBackRest 2."""

from __future__ import annotations

from collections.abc import Mapping

from guardian_tui.engine.backups.discovery.documents import (
    NotRead,
    Plain,
    Taking,
    mapping,
    read_document,
    read_ini,
    text_of,
    texts,
)
from guardian_tui.engine.backups.discovery.reading import File, Readings
from guardian_tui.engine.backups.discovery.setups import Found, Setup, borg

MOST_REPOSITORIES = 50
_SECTIONS = ("location", "storage", "retention", "consistency", "output", "hooks")
PGBACKREST = ("/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf")


def borgmatic(file: File, read: Readings) -> Setup:
    """One file of borgmatic with what it takes in, with sections (until 1.7) or flat."""
    home = read.home
    setup = Setup("borgmatic", file.path, file.why)
    if file.text is None:
        return setup
    taking = Taking(lambda path: one.text if (one := read.files.get(path)) else None, home)
    try:
        sections = read_document(file.path, file.text, taking)
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
    if taking.missing:
        names = ", ".join(dict.fromkeys(taking.missing))
        setup.why = f"it takes in {names}, which could not be read: what stands there is left out"
    elif not setup.repositories:
        setup.why = "it names no repository"
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
