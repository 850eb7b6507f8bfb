"""On which hosts a runbook and its steps act, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardian_tui import filter as filters
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.ways import Way, Ways
from guardian_tui.engine.runbooks.documents import Document, Hosts, Variable, render_text
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.errors import InvalidRequest, NotFound
from guardian_tui.rows import host_columns, host_text

LABELS = "labels."


class Places:
    """Finds hosts.

    Args:
        ways: all hosts.
        live: rows of hosts, for filters.
    """

    def __init__(self, ways: Ways, live: Live) -> None:
        self._ways = ways
        self._live = live

    def way(self, host: str) -> Way | None:
        """The way to a host by id or by name."""
        return self._ways.way(host) if host else None

    def named(self, names: Sequence[str]) -> list[Way]:
        """Hosts by id or by name, each once.

        Raises:
            NotFound: one is not there.
        """
        found: dict[str, Way] = {}
        for name in names:
            way = self.way(name)
            if way is None:
                raise NotFound(f"There is no host {name[:80]!r}.")
            found[way.host_id] = way
        return list(found.values())

    def of(
        self, document: Document, hosts: Hosts | None, values: Mapping[str, str], asked: Sequence[str], alert: Alert | None
    ) -> list[Way] | None:  # fmt: skip
        """Hosts of a document or of a step.

        Args:
            document: whose variables are declared.
            hosts: what it says of them.
            values: those that are known.
            asked: names or ids that a person gave.
            alert: that it answers.

        Returns:
            None where it is not known yet.

        Raises:
            NotFound, InvalidRequest: they can't be found.
        """
        if hosts is None:
            return self._given(asked, alert)
        match hosts.origin:
            case "engine":
                way = self._ways.way("")
                if way is None:
                    raise NotFound("The engine's own machine is not watched, so nothing can be run there.")
                found = [way]
            case "alert" | "person":
                given = self._given(asked, alert if hosts.origin == "alert" else None)
                if given is None:
                    return None
                found = given
            case "names":
                found = self.named(hosts.names)
            case "variable":
                value = values.get(hosts.variable, document.variable(hosts.variable).default)
                if value is None:
                    return None
                found = self.named([value])
            case _:
                text = render_text(document, hosts.filter, values, partial=True)
                if "{{" in text:
                    return None
                found = self._matching(text)
        if len(found) > hosts.most:
            raise InvalidRequest(f"{len(found)} hosts are meant, and the runbook allows {hosts.most}.")
        return found

    def _given(self, asked: Sequence[str], alert: Alert | None) -> list[Way] | None:
        if asked:
            return self.named(asked)
        return self.named([alert.host_id]) if alert is not None and alert.host_id else None

    def _matching(self, text: str) -> list[Way]:
        wanted = filters.parse(text)
        ways = []
        for row in self._live.hosts.rows():
            if wanted.matches(host_columns(row), host_text(row)):
                way = self.way(row.id)
                if way is not None:
                    ways.append(way)
        if not ways:
            raise NotFound(f"No host matches {text[:100]!r}.")
        return sorted(ways, key=lambda way: way.name)


def from_alert(variable: Variable, alert: Alert) -> str:
    """What an alert says for a variable; empty: nothing."""
    found = {
        "host": alert.host, "rule": alert.rule, "severity": alert.severity, "why": alert.why, "since": f"{alert.since:.0f}",
        "value": "" if alert.value is None else f"{alert.value:g}",
    }  # fmt: skip
    # every other field names what the series is of: mount, unit, nic
    return found.get(variable.field, alert.instance)


def from_inventory(variables: Sequence[Variable], way: Way) -> dict[str, str]:
    """What the inventory says of a host for variables."""
    target = way.target
    known = {
        "name": way.name, "environment": way.labels.get("environment", ""), "address": target.address if target else way.name,
        "port": str(target.port) if target else "", "user": target.user if target else "",
    }  # fmt: skip
    found = {}
    for variable in variables:
        if variable.origin == "inventory":
            value = (
                way.labels.get(variable.field.removeprefix(LABELS), "")
                if variable.field.startswith(LABELS)
                else known.get(variable.field, "")
            )
            if value:
                found[variable.name] = value
    return found
