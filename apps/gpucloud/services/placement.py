"""Where a job could run: plain values in, plain values out, so that it can be tested without a database."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.utils.translation import gettext_noop as _

from apps.gpucloud.services.transitions import Reason, reason
from workers.kinds import Resources

BACKFILL_S = 60
"""A job that has waited this long for room gets the next room on its node: later ones no longer slip past it there."""


@dataclass
class Device:
    id: UUID
    vendor: str
    index: int


@dataclass
class Room:
    """What a node can still take. total_*: what it has; free devices in order of their index."""

    node_id: UUID
    name: str
    cpus: int
    memory_mib: int
    devices: list[Device] = field(default_factory=list)
    total_cpus: int = 0
    total_memory_mib: int = 0
    total_devices: dict[str, int] = field(default_factory=dict)
    disk_mib: int = 0
    """Free at its last heartbeat."""
    kept_for: UUID | None = None
    """A waiting job this node is kept for."""

    def choose(self, wanted: Resources) -> list[Device] | None:
        """Devices for a job, all of one vendor; [] when it wants none, None when it does not fit now."""
        if wanted.cpus > self.cpus or wanted.memory_mib > self.memory_mib or wanted.disk_mib > self.disk_mib:
            return None
        if not wanted.accelerators:
            return []
        for vendor in [wanted.vendor] if wanted.vendor else sorted({device.vendor for device in self.devices}):
            free = [device for device in self.devices if device.vendor == vendor]
            if len(free) >= wanted.accelerators:
                return sorted(free, key=lambda device: device.index)[: wanted.accelerators]
        return None

    def could_ever(self, wanted: Resources) -> bool:
        """Would it fit if nothing else ran here?"""
        vendors = [wanted.vendor] if wanted.vendor else list(self.total_devices)
        return (
            wanted.cpus <= self.total_cpus
            and wanted.memory_mib <= self.total_memory_mib
            and (
                not wanted.accelerators
                or any(self.total_devices.get(name, 0) >= wanted.accelerators for name in vendors)
            )
        )

    def take(self, wanted: Resources, devices: list[Device]) -> None:
        self.cpus -= wanted.cpus
        self.memory_mib -= wanted.memory_mib
        self.devices = [device for device in self.devices if device not in devices]


def place(job_id: UUID, wanted: Resources, rooms: Iterable[Room]) -> tuple[Room, list[Device]] | None:
    """The node with the least room left over that takes the whole job at once, or None."""
    fits = [
        (room, devices)
        for room in rooms
        if room.kept_for in (None, job_id) and (devices := room.choose(wanted)) is not None
    ]
    return min(fits, key=lambda fit: (len(fit[0].devices), fit[0].cpus, fit[0].name), default=None)


def keep_a_node(job_id: UUID, wanted: Resources, rooms: Iterable[Room]) -> None:
    """Keep the node that lacks least for a job that has waited long."""
    able = [room for room in rooms if room.kept_for is None and room.could_ever(wanted)]
    if able:
        max(able, key=lambda room: (len(room.devices), room.cpus)).kept_for = job_id


def why_waiting(wanted: Resources, rooms: list[Room]) -> Reason:
    """In words, why a job that did not fit waits."""
    if not rooms:
        return reason(
            "no_node", _("No node is ready. It starts as soon as one is."), _("Ask an operator to look at the nodes.")
        )
    able = [room for room in rooms if room.could_ever(wanted)]
    if able:
        return _why_full(wanted, able)
    if wanted.accelerators and not any(
        room.total_devices.get(vendor, 0) >= wanted.accelerators
        for room in rooms
        for vendor in ([wanted.vendor] if wanted.vendor else list(room.total_devices))
    ):
        return reason(
            "too_few_accelerators",
            _("It asks for %(accelerators)s accelerators on one node; no node has so many."),
            _("Ask for fewer, or wait for a node that has them."),
            accelerators=wanted.accelerators,
            vendor=wanted.vendor,
        )
    return reason(
        "too_large",
        _("It asks for %(cpus)s cores and %(memory_mib)s MiB of memory on one node; no node has so much."),
        _("Ask for less, or wait for a larger node."),
        cpus=wanted.cpus,
        memory_mib=wanted.memory_mib,
    )


def _why_full(wanted: Resources, able: list[Room]) -> Reason:
    hint = _("It starts by itself when other jobs end; deployments go on until they are stopped.")
    if wanted.accelerators and all(
        room.choose(Resources(0, 0, wanted.accelerators, wanted.vendor)) is None for room in able
    ):
        text = _("Waits for free accelerators (it needs %(accelerators)s); other jobs use them.")
        return reason("accelerators_busy", text, hint, accelerators=wanted.accelerators, vendor=wanted.vendor)
    if all(wanted.memory_mib > room.memory_mib for room in able):
        return reason(
            "memory_busy",
            _("Waits for %(memory_mib)s MiB of free memory; other jobs use it."),
            hint,
            memory_mib=wanted.memory_mib,
        )
    if all(wanted.disk_mib > room.disk_mib for room in able):
        text = _("Waits for %(disk_mib)s MiB of free disk space.")
        return reason("disk_busy", text, _("Remove what is no longer needed on the nodes."), disk_mib=wanted.disk_mib)
    text = _("Waits for free cores (it needs %(cpus)s); other jobs use them.")
    return reason("cores_busy", text, hint, cpus=wanted.cpus)
