"""A target for atheris: bytes, of which the first says which parser reads the rest; whatever they are, a parser must answer.

Run by hand: ``python -m tests.fuzz.target -max_total_time=600 FOLDER``, where FOLDER keeps what reached something new.
"""

from __future__ import annotations

import base64
import sys

import atheris

with atheris.instrument_imports(include=["guardian_tui.engine.fleet", "guardian_tui.engine.remote.pins"]):
    from guardian_tui.engine.fleet import reading, shape
    from guardian_tui.engine.fleet.checks import jsonpath, tls
    from guardian_tui.engine.fleet.checks.exposition import parse_exposition
    from guardian_tui.engine.fleet.checks.nagios import figure_of
    from guardian_tui.engine.fleet.checks.perfdata import parse_output
    from guardian_tui.engine.fleet.mounts import parse_rooms
    from guardian_tui.engine.fleet.sections import ALL
    from guardian_tui.engine.fleet.sections.raw import lines_of, raw_of
    from guardian_tui.engine.fleet.series import sample_values
    from guardian_tui.engine.remote.pins import parse_known_hosts

import msgspec

_SECTIONS = sorted(ALL)
_MOUNTS = [("/dev/sda1", "/", "ext4", False), ("files:/srv", "/srv data", "nfs4", False)]
_STATE: dict[str, shape.Shape | None] = {"shape": None}


def probe(data: bytes) -> None:
    """An answer of the probe, by the shape of the one before and by itself."""
    first, _STATE["shape"] = shape.read(data, _STATE["shape"])
    alone = reading.parse(data)
    assert repr(first) == repr(alone), "by its shape an answer reads otherwise than by itself"
    sample_values(first, alone, 5.0, round_trip=0.1, clock_offset=0.0)


def section(data: bytes) -> None:
    """One section, and again with a reading before."""
    name = _SECTIONS[data[0] % len(_SECTIONS)] if data else _SECTIONS[0]
    raw = raw_of(data[1:])
    found = ALL[name].read(raw, None, 0.0)
    ALL[name].read(raw, raw, 5.0)
    assert all(isinstance(value, float) for value in found.values.values())


def sections(data: bytes) -> None:
    """An answer of several sections."""
    for lines in lines_of(data, _SECTIONS).values():
        raw_of(lines)


def perfdata(data: bytes) -> None:
    """What a plugin says."""
    text, values = parse_output(data.decode("utf-8", "replace"))
    assert isinstance(text, str)
    for value in values:
        msgspec.json.encode(figure_of(value).shown("check"))


def json(data: bytes) -> None:
    """A document, and a condition on it."""
    condition, _, document = data.partition(b"\n")
    try:
        value = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    jsonpath.unmet(value, condition.decode("utf-8", "replace"))


def certificate(data: bytes) -> None:
    """A certificate as a server shows it, and as it lies on a disk."""
    tls.left_words(tls.Seen("TLSv1.3", data), 1.8e9)
    ALL["certificates"].read(raw_of(b"R\tC\t/etc/x.pem\t" + base64.b64encode(data) + b"\n"), None, 0.0)


def metrics(data: bytes) -> None:
    """A Prometheus endpoint."""
    parse_exposition(data.decode("utf-8", "replace"))


def rooms(data: bytes) -> None:
    """What df says."""
    parse_rooms(data, _MOUNTS)


def known_hosts(data: bytes) -> None:
    """A person's file of host keys."""
    parse_known_hosts(data.decode("utf-8", "replace"))


PARSERS = (probe, section, sections, perfdata, json, certificate, metrics, rooms, known_hosts)


def one(data: bytes) -> None:
    """Have one parser read it."""
    if data:
        PARSERS[data[0] % len(PARSERS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
