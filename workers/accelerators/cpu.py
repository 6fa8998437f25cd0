"""The processor of the machine, as a device."""

import json
import os
import platform
from pathlib import Path
from typing import Any, ClassVar

import psutil

from workers.accelerators.base import Device, Vendor, vendors


class Cpu(Vendor):
    name: ClassVar[str] = "cpu"

    def recognises(self, text: str) -> bool:
        return "lscpu" in text[:200] or text.lstrip().startswith("Architecture:")

    def parse(self, text: str) -> list[Device]:
        """An output of `lscpu` or `lscpu --json`."""
        rows = _lscpu_rows(text)
        return [Device("cpu", 0, model=rows.get("Model name") or rows.get("Architecture"), health="ok")]

    def detect(self) -> list[Device]:
        memory = psutil.virtual_memory()
        return [
            Device(
                "cpu",
                0,
                uuid="cpu-0",
                model=_model_name(),
                memory_total_mib=memory.total >> 20,
                memory_used_mib=(memory.total - memory.available) >> 20,
                utilisation_pct=min(100.0, round(100 * os.getloadavg()[0] / (os.cpu_count() or 1), 1)),
                temperature_c=_temperature(),
                health="ok",
                driver=platform.release(),
            )
        ]

    def environment(self, granted: list[dict[str, Any]]) -> dict[str, str]:
        return {}


def _lscpu_rows(text: str) -> dict[str, str]:
    if text.lstrip().startswith("{"):
        return {row["field"].rstrip(":"): row["data"] for row in json.loads(text)["lscpu"]}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _colon, value in pairs}


def _model_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _temperature() -> float | None:
    sensors: dict[str, list[Any]] = getattr(psutil, "sensors_temperatures", dict)()
    readings = [entry.current for entries in sensors.values() for entry in entries if entry.current]
    return round(max(readings), 1) if readings else None


vendors.add("cpu", Cpu())
