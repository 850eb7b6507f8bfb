"""What a demo looks at from outside, or by commands on its hosts: checks that suit their roles."""

from __future__ import annotations

from collections.abc import Iterable

from guardian_tui.demo.roles import Place
from guardian_tui.protocol.check_params import Kind
from guardian_tui.protocol.checks import CheckSpec, Scalar

MOST = 24
"""Checks of a fleet of any size."""
PERIOD_SECONDS = 20.0


def checks_of(places: Iterable[Place], ports: dict[str, int]) -> list[CheckSpec]:
    """The checks of the first hosts of each role.

    Args:
        places: the fleet.
        ports: where each host's SSH server listens.
    """
    found = []
    for place in places:
        name, role = place.name, place.role.name
        if role == "web":
            found.append(
                _check(
                    f"shop-{name}",
                    "nagios",
                    name,
                    plugin="check_http",
                    arguments=["-H", "www.example.com", "-S", "-w", "1", "-c", "5"],
                )
            )
        elif role == "db":
            found.append(
                _check(f"database-{name}", "nagios", name, plugin="check_pgsql", arguments=["-d", "shop"])
            )
        elif role == "queue":
            found.append(_check(f"rabbitmq-{name}", "unit", name, unit=place.role.unit))
        elif role == "jump":
            found.append(_check(f"ssh-{name}", "ssh", name, port=ports[name]))
    return found[:MOST]


def _check(name: str, kind: Kind, host: str, **params: Scalar | list[Scalar]) -> CheckSpec:
    return CheckSpec(name=name, kind=kind, host=host, params=params, period_seconds=PERIOD_SECONDS)
