"""Sources of hosts: ssh_config, Ansible inventories (INI, YAML, JSON) and CSV, each read by a pure function of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guardian_tui.engine.fleet.sources.ansible_ini import parse_ini
from guardian_tui.engine.fleet.sources.ansible_json import parse_json
from guardian_tui.engine.fleet.sources.ansible_yaml import parse_yaml
from guardian_tui.engine.fleet.sources.csv_table import parse_csv
from guardian_tui.engine.fleet.sources.entry import Reading
from guardian_tui.engine.fleet.sources.ssh_config import parse_ssh_config
from guardian_tui.protocol.imports import SourceFormat, SourceText

_READERS: Mapping[SourceFormat, Callable[[str, str], Reading]] = {
    "ssh_config": parse_ssh_config, "ansible_ini": parse_ini, "ansible_yaml": parse_yaml, "ansible_json": parse_json,
    "csv": parse_csv,
}  # fmt: skip


def read_source(source: SourceText) -> Reading:
    """Read a source by its format; call it in a thread, for YAML takes its time."""
    return _READERS[source.format](source.text.removeprefix("\ufeff"), source.name)
