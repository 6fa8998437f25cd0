"""What a run takes of its machine while it runs: one point every few seconds, beside its own charts."""

import os
import time
from typing import Any

from workers.spec import Spec
from workers.supervise import family, rss_mib, stat_fields

EVERY_S = 5.0
SERVICE_EVERY_S = 30.0
"""An instance runs for months."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CPU_FIELDS = slice(11, 15)
"""Of /proc/PID/stat: user and system time of the process and of its children that have ended."""


class Usage:
    """devices: what the node's vendor tools said last, as `workers.accelerators` gives it."""

    def __init__(self, spec: Spec, *, service: bool) -> None:
        self.spec = spec
        self.every_s = SERVICE_EVERY_S if service else EVERY_S
        self.devices: list[dict[str, Any]] = []
        self.next_at = 0.0
        self.before: tuple[float, float] | None = None

    def sample(self, supervisor: dict[str, Any] | None) -> dict[str, Any] | None:
        """A metric event of series `device.…` at this second, or None when it is not due or nothing runs. cpu_pct is a
        share of the granted cores, so it may pass 100."""
        now = time.monotonic()
        if now < self.next_at or supervisor is None:
            return None
        self.next_at = now + self.every_s
        processes = family(int(supervisor["pid"]))[1:]
        cpu_s = sum(_cpu_s(pid) for pid in processes)
        before, self.before = self.before, (now, cpu_s)
        if not processes or before is None or cpu_s < before[1]:
            return None
        memory_mib = sum(map(rss_mib, processes))
        if not memory_mib:  # all have ended, and wait to be counted
            return None
        share = (cpu_s - before[1]) / (now - before[0]) / max(1, self.spec.cpus)
        values = {"device.cpu_pct": round(100 * share, 1), "device.memory_mib": round(memory_mib, 1)}
        at = time.time()
        return {"type": "metric", "t": round(at, 3), "step": int(at), "values": values | self._accelerators()}

    def _accelerators(self) -> dict[str, float]:
        by_uuid = {device.get("uuid"): device for device in self.devices}
        values: dict[str, float] = {}
        for number, granted in enumerate(self.spec.accelerators):
            known = by_uuid.get(granted.get("uuid")) or {}
            if known.get("utilisation_pct") is not None:
                values[f"device.gpu{number}_pct"] = float(known["utilisation_pct"])
            if known.get("memory_used_mib") is not None:
                values[f"device.gpu{number}_memory_mib"] = float(known["memory_used_mib"])
        return values


def _cpu_s(pid: int) -> float:
    fields = stat_fields(pid)
    return sum(int(field) for field in fields[CPU_FIELDS]) / TICKS_PER_S if fields else 0.0
