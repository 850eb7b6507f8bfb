"""Units of systemd: services with the timers that start them, and what a template comes to for each of its instances."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from guardian_tui.engine.backups.discovery.reading import File
from guardian_tui.engine.backups.discovery.shell import assignments
from guardian_tui.engine.backups.discovery.timetable import MOST_LINES, Runner

STAMPS = "/var/lib/systemd/timers/stamp-"
MOST_INSTANCES = 100
_CALENDAR = ("OnCalendar", "OnBootSec", "OnUnitActiveSec", "OnUnitInactiveSec", "OnActiveSec", "OnStartupSec")
_INSTANCE = re.compile(r"([^@/]+@)([^/]+)(\.(?:service|timer))\Z")
_SPECIFIER = re.compile(r"%([%iIpPnNh])")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")

Sections = dict[str, dict[str, list[str]]]


def of_units(files: Iterable[File], home: str, enabled: Iterable[str] = ()) -> list[Runner]:
    """Services with the timers that start them.

    Args:
        files: of units.
        home: whose, for ``%h``.
        enabled: names of units that are switched on, the instances of templates among them.
    """
    texts: dict[str, Sections] = {}
    for file in files:
        # the folder that counts more comes first
        texts.setdefault(posixpath.basename(file.path), _unit(file.text or ""))
    switched_on = [name for name in dict.fromkeys(enabled) if template_of(name) in texts][:MOST_INSTANCES]
    timers: dict[str, list[tuple[str, str]]] = {}
    for name in dict.fromkeys((*texts, *switched_on)):
        if name.endswith(".timer") and not _is_template(name):
            whom, when = _timer(name, _of(texts, name), home)
            timers.setdefault(whom, []).append((name, when))
    begun = [
        name for name in (*timers, *switched_on) if name.endswith(".service") and template_of(name) in texts
    ]
    made = {template_of(name) for name in begun}
    found = []
    for name in dict.fromkeys((*texts, *begun)):
        # a template that has instances is told by them
        if name.endswith(".service") and name not in made:
            sections = _of(texts, name)
            found.append(_service(name, sections, home, timers.get(name, [])))
    return found


def _of(texts: Mapping[str, Sections], name: str) -> Sections:
    """What stands in a unit, or in its template."""
    return texts[name] if name in texts else texts[template_of(name)]


def template_of(name: str) -> str:
    """The template of an instance; empty: it is none."""
    found = _INSTANCE.match(name)
    return f"{found[1]}{found[3]}" if found else ""


def _is_template(name: str) -> bool:
    return "@." in name


def _timer(name: str, sections: Sections, home: str) -> tuple[str, str]:
    """Which service it starts, and when."""
    of = sections.get("Timer", {})
    units = of.get("Unit", [])
    whom = _filled(units[-1], name, home) if units else f"{name.removesuffix('.timer')}.service"
    when = "; ".join(
        value if key == "OnCalendar" else f"{key}={value}"
        for key in _CALENDAR
        for value in (_filled(one, name, home) for one in of.get(key, []))
    )
    return whom, when


def _service(name: str, sections: Sections, home: str, timers: list[tuple[str, str]]) -> Runner:
    of = sections.get("Service", {})
    lines = [
        line.lstrip("@-!+: ")
        for key in ("ExecStartPre", "ExecStart", "ExecStartPost")
        for line in of.get(key, [])
    ]
    env: dict[str, str] = {}
    for value in of.get("Environment", []):
        env = assignments(_filled(value, name, home), env)
    files = [_filled(value.lstrip("-"), name, home).strip("\"'") for value in of.get("EnvironmentFile", [])]
    return Runner(
        "timer" if timers else "service",
        timers[0][0] if timers else name,
        "; ".join(when for _, when in timers),
        _filled("\n".join(lines), name, home),
        env,
        tuple(file for file in files if file.startswith("/")),
        tuple(f"{STAMPS}{timer}" for timer, _ in timers),
    )


def _filled(text: str, name: str, home: str) -> str:
    """What systemd puts in for its specifiers; those of a template without an instance stay."""
    found = _INSTANCE.match(name)
    values = {"%": "%", "n": name, "N": name.rpartition(".")[0], "h": home}
    values["p"] = values["N"].partition("@")[0]
    values["P"] = _plain(values["p"])
    if found:
        values |= {"i": found[2], "I": _plain(found[2])}
    return _SPECIFIER.sub(lambda one: values.get(one[1], one[0]), text)


def _plain(escaped: str) -> str:
    """A name as it was before ``systemd-escape``."""
    return _ESCAPED.sub(lambda one: chr(int(one[1], 16)), escaped.replace("-", "/"))


def _unit(text: str) -> Sections:
    """Sections of a unit file; an empty value takes back what was said before it."""
    sections: Sections = {}
    section: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines()[:MOST_LINES]:
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = sections.setdefault(line[1:-1], {})
        elif line and not line.startswith(("#", ";")) and "=" in line:
            key, _, value = line.partition("=")
            values = section.setdefault(key.strip(), [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()
    return sections
