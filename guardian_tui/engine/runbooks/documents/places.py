"""Which hosts a document or a step acts on, and how a step goes over many of them."""

from __future__ import annotations

import re

from guardian_tui.engine.runbooks.documents.fields import Fields
from guardian_tui.engine.runbooks.documents.model import Fanout, Hosts, Retry, Share
from guardian_tui.engine.runbooks.documents.rendering import PLACEHOLDER

MOST_HOSTS = 10_000
ORIGINS = ("alert", "person", "engine")
_SHARE = re.compile(r"(\d{1,5})|(\d{1,3}(?:\.\d{1,2})?)\s*%")


def read_hosts(fields: Fields) -> Hosts | None:
    """What ``hosts`` says; None when it is not there or wrong.

    It is ``alert``, ``person``, ``engine``, a placeholder of a host, a list of names, or a mapping of ``from``, ``filter``, ``names`` and ``most``.
    """
    if "hosts" not in fields:
        return None
    inner = fields.mapping("hosts") if fields.is_mapping("hosts") else None
    if inner is None:
        words = fields.words("hosts")
        if len(words) == 1 and words[0] in ORIGINS:
            return Hosts(origin=words[0])  # type: ignore[arg-type]  # one of the origins
        if len(words) == 1 and (variable := PLACEHOLDER.fullmatch(words[0])):
            return Hosts(origin="variable", variable=variable[1])
        return Hosts(origin="names", names=words) if words else None
    inner.only(("from", "filter", "names", "most"), "hosts")
    ways = [key for key in ("from", "filter", "names") if key in inner]
    if len(ways) != 1:
        fields.note(
            "hosts", "hosts-ways", "hosts needs exactly one of from, filter and names.", "Keep one of them."
        )
        return None
    most = inner.integer("most", 500, 1, MOST_HOSTS)
    if ways == ["filter"]:
        return Hosts(origin="filter", filter=inner.text("filter", most=500), most=most)
    if ways == ["names"]:
        return Hosts(origin="names", names=inner.words("names"), most=most)
    return Hosts(origin=inner.one_of("from", ORIGINS, "person"), most=most)  # type: ignore[arg-type]  # as above


def read_fanout(fields: Fields) -> Fanout | None:
    """What ``fanout`` says; None when it is not there."""
    inner = fields.mapping("fanout")
    if inner is None:
        return None
    inner.only(("serial", "max_failures", "gate", "settle"), "fanout")
    serial = tuple(_share(inner, "serial", word) for word in inner.words("serial")) or (Share(percent=100.0),)
    if any(one == Share() for one in serial):
        inner.note("serial", "empty-batch", "A batch of no hosts never ends.", "Begin with 1.")
    failures = inner.text("max_failures", "0")
    return Fanout(
        serial=serial, max_failures=_share(inner, "max_failures", failures), gate=inner.flag("gate", True),
        settle_seconds=inner.seconds("settle"),
    )  # fmt: skip


def _share(fields: Fields, key: str, word: str) -> Share:
    match = _SHARE.fullmatch(word.strip())
    if match is None or (match[2] and not 0 <= float(match[2]) <= 100):
        fields.note(
            key,
            "no-share",
            f"{word[:40]!r} is neither a number of hosts nor a part of them.",
            "Write it as 1 or 25%.",
        )
        return Share(count=1)
    return Share(count=int(match[1])) if match[1] else Share(percent=float(match[2]))


def read_retry(fields: Fields) -> Retry | None:
    """What ``retry`` says: a number of tries, or ``times`` and ``wait``."""
    inner = fields.mapping("retry") if fields.is_mapping("retry") else None
    if inner is None:
        return Retry(times=fields.integer("retry", 2, 2, 100)) if "retry" in fields else None
    inner.only(("times", "wait"), "retry")
    return Retry(times=inner.integer("times", 2, 2, 100), wait_seconds=inner.seconds("wait", 5.0))
