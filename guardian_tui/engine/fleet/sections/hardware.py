"""What a machine is: firmware's tables (DMI), processors, memory, virtualisation, and its disks."""

from __future__ import annotations

from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_NAMES = {
    "sys_vendor": "vendor", "product_name": "product", "product_version": "version", "board_vendor": "board's vendor", "board_name": "board",
    "bios_vendor": "firmware's vendor", "bios_version": "firmware", "bios_date": "firmware of", "device_tree": "product", "machine": "product",
    "model name": "processor", "cpu": "processor", "Model": "product", "Hardware": "processor", "processors": "processors", "sockets": "sockets",
    "cpu cores": "cores a socket", "microcode": "microcode",
}  # fmt: skip
_HYPERVISORS = (
    ("vmware", "VMware"), ("virtualbox", "VirtualBox"), ("innotek", "VirtualBox"), ("microsoft corporation virtual machine", "Hyper-V"),
    ("amazon ec2", "KVM at Amazon EC2"), ("google", "KVM at Google"), ("digitalocean", "KVM at DigitalOcean"), ("hetzner", "KVM at Hetzner"),
    ("openstack", "KVM under OpenStack"), ("xen", "Xen"), ("parallels", "Parallels"), ("bhyve", "bhyve"), ("qemu", "KVM"), ("kvm", "KVM"),
)  # fmt: skip
_EMPTY = (
    "",
    "to be filled by o.e.m.",
    "default string",
    "not specified",
    "system product name",
    "none",
    "n/a",
)
_SECTOR_BYTES = 512.0


class Hardware(Section):
    """``R name value``: names of /sys/class/dmi/id and of /proc/cpuinfo."""

    name: ClassVar[str] = "hardware"

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """Names in words; product, processor, memory and virtualisation are facts of the host."""
        told: dict[str, str] = {}
        for row in raw.rows:
            if len(row) != 2:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
            elif row[1].strip("\0 ").lower() not in _EMPTY:
                told.setdefault(row[0], cell(row[1].strip("\0 ")))
        rows: list[tuple[str, str]] = []
        for name, value in told.items():
            words = _NAMES.get(name)
            if words is not None and not any(words == row[0] for row in rows):
                rows.append((words, value))
        facts = {}
        shown = dict(rows)
        product = " ".join(part for part in (shown.get("vendor", ""), shown.get("product", "")) if part)
        if product:
            facts["product"] = product
        if "processor" in shown:
            facts["cpu"] = shown["processor"]
        virtual = _virtualisation(told)
        facts["virtualisation"] = virtual
        rows.append(("virtualisation", virtual))
        try:
            memory = number(told["memory_kb"]) * 1024 if "memory_kb" in told else 0.0
        except ValueError:
            raw.problem("the size of the memory can't be read")
            memory = 0.0
        if memory > 0:
            facts["memory"] = f"{memory / (1 << 30):.1f} GiB"
            rows.append(("memory", facts["memory"]))
        return Findings(tuple(rows), facts=facts if raw.rows else {})


def _virtualisation(told: dict[str, str]) -> str:
    firmware = f"{told.get('sys_vendor', '')} {told.get('product_name', '')}".lower()
    machine = next((name for sign, name in _HYPERVISORS if sign in firmware), "")
    if not machine and told.get("hypervisor"):
        machine = {"xen": "Xen"}.get(told["hypervisor"], told["hypervisor"])
    # an account of metal in the cloud names its maker too, but has no hypervisor below it
    if "virtual" not in told and "model name" in told and machine != "Xen":
        machine = ""
    machine = machine or ("virtual machine" if "virtual" in told else "")
    inside = f"container ({told['container']})" if "container" in told else ""
    return ", ".join(part for part in (inside, machine) if part) or "none"


class Disks(Section):
    """``R disk sectors rotational removable read_only vendor model serial scheduler``."""

    name: ClassVar[str] = "disks"

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each device with a size."""
        rows: list[tuple[Cell, ...]] = []
        for row in raw.rows:
            try:
                disk, sectors, rotational, removable, read_only, vendor, model, serial, scheduler = row
                vendor = "" if vendor.startswith("0x") or vendor.strip() == "ATA" else vendor
                chosen = scheduler.partition("[")[2].partition("]")[0] or scheduler
                notes = ", ".join(
                    word for word, flag in (("removable", removable), ("read-only", read_only)) if flag == "1"
                )
                rows.append(
                    (
                        cell(disk, 40), number(sectors) * _SECTOR_BYTES, _kind(disk, rotational), cell(f"{vendor.strip()} {model.strip()}".strip(), 80),
                        cell(serial.strip(), 60), cell(chosen, 20), notes,
                    )
                )  # fmt: skip
            except ValueError:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
        return Findings(tuple(rows))


_KINDS = (
    ("nvme", "NVMe"), ("mmcblk", "memory card"), ("vd", "virtual"), ("xvd", "virtual"), ("dm-", "mapped"), ("md", "RAID"), ("zram", "memory"),
    ("sr", "optical"), ("nbd", "network"), ("rbd", "network"), ("bcache", "cache"),
)  # fmt: skip


def _kind(disk: str, rotational: str) -> str:
    for prefix, kind in _KINDS:
        if disk.startswith(prefix):
            return kind
    return {"1": "hard disk", "0": "SSD"}.get(rotational, "")
