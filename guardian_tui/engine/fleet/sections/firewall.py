"""The firewall's rules, by nftables or iptables: chains with their policies, each held against the baseline by a checksum."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell
from guardian_tui.engine.fleet.sections.lines import texts
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_POLICY = re.compile(r"\bhook (\w+)\b.*?(?:policy (\w+))?;?\s*$")
_OTHERS = re.compile(r"^(KUBE-|CNI-|cali-|DOCKER|f2b-|LIBVIRT)")
"""Chains that other programs keep for themselves: they change by the minute."""
MOST_CHAINS = 500


@dataclass(slots=True)
class _Chain:
    table: str
    name: str
    hook: str = ""
    policy: str = ""
    rules: list[str] = field(default_factory=list)


class Firewall(Section):
    """``N`` lines of `nft list ruleset`, ``I`` and ``J`` of `iptables-save` and `ip6tables-save`, ``U`` whether ufw is on, ``F`` of firewalld."""

    name: ClassVar[str] = "firewall"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 40.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each chain; a flag for whether anything that comes in is refused."""
        chains = _nft(list(texts(raw, "N")))
        chains += _iptables("ip", list(texts(raw, "I"))) + _iptables("ip6", list(texts(raw, "J")))
        own = [chain for chain in chains if not _OTHERS.match(chain.name)][:MOST_CHAINS]
        rows: list[tuple[Cell, ...]] = []
        items = {}
        for chain in own:
            digest = hashlib.sha256("\n".join(chain.rules).encode("utf-8", "replace")).hexdigest()[:12]
            name = cell(f"{chain.table} {chain.name}", 120)
            rows.append((name, cell(chain.hook, 32), cell(chain.policy, 32), float(len(chain.rules)), digest))
            items[name] = cell(f"{chain.policy or 'no policy'}, {len(chain.rules)} rules, {digest}", 100)
        read = any(row[0] in "NIJ" for row in raw.rows if row[0])
        facts = {}
        values: dict[str, float] = {}
        if read:
            on = any(chain.hook == "input" and (chain.policy == "drop" or chain.rules) for chain in own)
            values["firewall_active"] = 1.0 if on else 0.0
        by = _kept_by(raw)
        if read or by:
            rules = sum(len(chain.rules) for chain in own)
            facts["firewall"] = (
                f"{by or ('nftables' if any(texts(raw, 'N')) else 'iptables')}{f', {rules} rules' if read else ''}"
            )
        return Findings(tuple(rows), values, facts, items or None)


def _kept_by(raw: Raw) -> str:
    if "running" in list(texts(raw, "F")):
        return "firewalld"
    return "ufw" if "yes" in list(texts(raw, "U")) else ""


def _nft(lines: list[str]) -> list[_Chain]:
    chains: list[_Chain] = []
    table, chain, depth = "", None, 0
    for line in lines:
        text = line.strip()
        opened = text.endswith("{")
        if opened and depth == 0 and text.startswith("table "):
            table = text[6:-1].strip()
        elif opened and depth == 1 and text.startswith("chain "):
            chain = _Chain(table, text[6:-1].strip())
            chains.append(chain)
        elif text == "}":
            depth = max(0, depth - 1)
            chain = chain if depth > 1 else None
            continue
        elif chain is not None and text.startswith("type ") and " hook " in text:
            match = _POLICY.search(text)
            if match is not None:
                chain.hook, chain.policy = match[1], match[2] or "accept"
        elif chain is not None and text:
            chain.rules.append(text)
        depth += opened
    return chains


def _iptables(family: str, lines: list[str]) -> list[_Chain]:
    chains: dict[tuple[str, str], _Chain] = {}
    table = ""
    for line in lines:
        words = line.split()
        if not words:
            continue
        if words[0].startswith("*"):
            table = words[0][1:]
        elif words[0].startswith(":") and len(words) > 1:
            name, policy = words[0][1:], words[1].lower()
            hook = name.lower() if policy != "-" else ""
            chains[table, name] = _Chain(f"{family} {table}", name, hook, "" if policy == "-" else policy)
        elif words[0] == "-A" and len(words) > 1 and (table, words[1]) in chains:
            chains[table, words[1]].rules.append(" ".join(words[2:]))
    return list(chains.values())
