"""What a kernel says of itself.  Bits of taint: Documentation/admin-guide/tainted-kernels.rst of Linux."""

from __future__ import annotations

from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, number
from guardian_tui.engine.fleet.sections.raw import Raw

_TAINTS = (
    "proprietary module", "module loaded by force", "processor out of specification", "module unloaded by force", "machine check",
    "bad page", "by a program's request", "oops", "ACPI table replaced", "warning", "staging driver", "firmware worked around",
    "module from outside", "module not signed", "soft lockup", "live patched", "by the distribution", "randomised structures", "test module",
)  # fmt: skip
_NAMES = {
    "version": "version", "cmdline": "command line", "entropy": "entropy, bits", "hung": "hung tasks since boot", "numa": "NUMA nodes",
    "thp": "transparent huge pages", "lsm": "security modules", "lockdown": "lockdown", "clocksource": "clock source", "modules": "modules loaded",
    "HugePages_Total": "huge pages", "HugePages_Free": "huge pages free", "Hugepagesize": "size of a huge page, kB",
    "Committed_AS": "memory promised, kB", "CommitLimit": "most memory to promise, kB", "HardwareCorrupted": "memory found broken, kB",
    "Slab": "memory of the kernel's own, kB", "vulnerable": "vulnerable",
}  # fmt: skip


class Kernel(Section):
    """``R name value`` for each thing that this kernel tells."""

    name: ClassVar[str] = "kernel"

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """Names in words; taint and the figures that are charted."""
        rows: list[tuple[str, str]] = []
        values: dict[str, float] = {}
        facts: dict[str, str] = {}
        told: dict[str, float] = {}
        for row in raw.rows:
            try:
                name, value = row
                if name == "tainted":
                    taint = int(number(value))
                    values["kernel_tainted"] = float(taint)
                    facts["kernel_taint"] = _taint(taint)
                    rows.append(("taint", facts["kernel_taint"]))
                elif name in _NAMES:
                    rows.append((_NAMES[name], cell(value)))
                if name in ("entropy", "hung") or name.startswith("HugePages_"):
                    told[name] = number(value)
            except ValueError:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
        values |= {
            metric: told[name]
            for name, metric in (("entropy", "entropy_bits"), ("hung", "hung_tasks"))
            if name in told
        }
        if told.get("HugePages_Total", 0.0) > 0 and "HugePages_Free" in told:
            values["hugepages_free_ratio"] = told["HugePages_Free"] / told["HugePages_Total"]
        return Findings(tuple(rows), values, facts)


def _taint(bits: int) -> str:
    words = [word for bit, word in enumerate(_TAINTS) if bits >> bit & 1]
    return ", ".join(words) if words else "clean" if not bits else f"bits {bits}"
