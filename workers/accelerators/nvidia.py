"""NVIDIA cards through `nvidia-smi`: its XML (`-q -x`), its CSV (`--query-gpu=… --format=csv`) and its table."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, ClassVar
from xml.etree import ElementTree

from workers.accelerators.base import Device, Vendor, number, vendors, whole
from workers.errors import InvalidInput
from workers.words import marked as _

TABLE_MARK = "NVIDIA-SMI "
NAME_ROW = re.compile(
    r"^\|\s+(?P<index>\d+)\s+(?P<name>\S.*?)\s{2,}(?:(?:On|Off|N/A|WDDM|TCC|MCDM)\s+)?\|\s*(?P<bus>[0-9A-Fa-f]+:[0-9A-Fa-f:.]+)"
)
USE_ROW = re.compile(
    r"^\|\s*(?:N/A|\d+%|ERR!)\s+(?P<temperature>\S+?)C?\s+P?\S+\s+(?P<power>\S+?)W?\s*/\s*\S+\s*\|"
    r"\s*(?P<used>\d+)MiB\s*/\s*(?P<total>\d+)MiB\s*\|\s*(?P<use>\S+)"
)
PROCESS_ROW = re.compile(
    r"^\|\s+(?P<index>\d+)\s+\S+\s+\S+\s+(?P<pid>\d+)\s+\S+\s+(?P<name>\S.*?)\s+(?P<memory>\d+)MiB\s*\|"
)
BANNER = re.compile(r"^#{20,}\n((?:# .*\n)+)#{20,}\n", re.MULTILINE)
CSV_NAME = re.compile(r"[\w.]+(?: \[.+\])?")
XML_BYTES_MAX = 16 << 20


class Nvidia(Vendor):
    name: ClassVar[str] = "nvidia"
    tool: ClassVar[Sequence[str]] = ("nvidia-smi", "-q", "-x")

    def recognises(self, text: str) -> bool:
        return "<nvidia_smi_log>" in text or TABLE_MARK in text or _is_csv(text)

    def parse(self, text: str) -> list[Device]:
        """Any of the formats, also a capture file with one section per command (the fullest and latest is used)."""
        sections = BANNER.split(text)[2::2] if BANNER.search(text) else [text]
        for matches, parse in ((_is_xml, _from_xml), (_is_csv, _from_csv), (_is_table, _from_table)):
            fitting = [section for section in sections if matches(section)]
            if fitting:
                return parse(fitting[-1])
        raise InvalidInput(_("This is no output of nvidia-smi."))

    def environment(self, granted: list[dict[str, Any]]) -> dict[str, str]:
        """An empty list hides all cards: a run that asked for none must not take memory of others'."""
        return {
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": ",".join(device["uuid"] or str(device["index"]) for device in granted),
        }


def _is_xml(text: str) -> bool:
    return "<nvidia_smi_log>" in text


def _is_csv(text: str) -> bool:
    header = text.lstrip().partition("\n")[0].rstrip()
    names = header.split(", ")
    return len(names) > 1 and "uuid" in names and all(CSV_NAME.fullmatch(name) for name in names)


def _is_table(text: str) -> bool:
    return TABLE_MARK in text and any(NAME_ROW.match(line) for line in text.splitlines())


def _from_xml(text: str) -> list[Device]:
    if len(text) > XML_BYTES_MAX or "<!ENTITY" in text:
        raise InvalidInput(_("This is no output of nvidia-smi."))
    try:
        # Entities are refused above.
        root = ElementTree.fromstring(text[text.index("<nvidia_smi_log>") : text.index("</nvidia_smi_log>") + 17])  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        raise InvalidInput(_("The XML of nvidia-smi is cut off or damaged.")) from None
    driver = _said(root.findtext("driver_version"))
    return [_gpu(gpu, index, driver) for index, gpu in enumerate(root.findall("gpu"))]


def _gpu(gpu: ElementTree.Element, index: int, driver: str | None) -> Device:
    power = (
        "gpu_power_readings/power_draw",
        "gpu_power_readings/instant_power_draw",
        "gpu_power_readings/average_power_draw",
        "power_readings/power_draw",
    )
    uncorrected = whole(gpu.findtext("ecc_errors/volatile/dram_uncorrectable"))
    pending = _said(gpu.findtext("remapped_rows/remapped_row_failure"))
    return Device(
        "nvidia",
        index,
        uuid=_said(gpu.findtext("uuid")),
        model=_said(gpu.findtext("product_name")),
        memory_total_mib=whole(gpu.findtext("fb_memory_usage/total")),
        memory_used_mib=whole(gpu.findtext("fb_memory_usage/used")),
        utilisation_pct=number(gpu.findtext("utilization/gpu_util")),
        temperature_c=number(gpu.findtext("temperature/gpu_temp")),
        power_w=next((watts for path in power if (watts := number(gpu.findtext(path))) is not None), None),
        health="ecc_errors" if uncorrected else "memory_failure" if pending == "Yes" else "ok",
        driver=driver,
        processes=[
            {
                "pid": whole(row.findtext("pid")),
                "name": row.findtext("process_name"),
                "memory_mib": whole(row.findtext("used_memory")),
            }
            for row in gpu.findall("processes/process_info")
        ],
    )


def _from_csv(text: str) -> list[Device]:
    rows = list(csv.reader(io.StringIO(text.strip()), skipinitialspace=True))
    names = [name.partition(" [")[0] for name in rows[0]]
    return [
        _csv_device(dict(zip(names, row, strict=False)), index) for index, row in enumerate(rows[1:]) if len(row) > 1
    ]


def _csv_device(row: dict[str, str], position: int) -> Device:
    index = whole(row.get("index"))
    return Device(
        "nvidia",
        position if index is None else index,
        uuid=_said(row.get("uuid")),
        model=_said(row.get("name")),
        memory_total_mib=whole(row.get("memory.total")),
        memory_used_mib=whole(row.get("memory.used")),
        utilisation_pct=number(row.get("utilization.gpu")),
        temperature_c=number(row.get("temperature.gpu")),
        power_w=number(row.get("power.draw")),
        health="ecc_errors" if whole(row.get("ecc.errors.uncorrected.volatile.total")) else "ok",
        driver=_said(row.get("driver_version")),
    )


def _from_table(text: str) -> list[Device]:
    driver = re.search(r"Driver Version:\s*(\S+)", text)
    devices: list[Device] = []
    for line in text.splitlines():
        if (found := NAME_ROW.match(line)) and "MiB" not in line:
            devices.append(
                Device(
                    "nvidia",
                    int(found["index"]),
                    model=found["name"],
                    health="ok",
                    driver=driver[1] if driver else None,
                )
            )
        elif devices and (found := USE_ROW.match(line)) and devices[-1].memory_total_mib is None:
            devices[-1].temperature_c = number(found["temperature"])
            devices[-1].power_w = number(found["power"])
            devices[-1].memory_used_mib, devices[-1].memory_total_mib = int(found["used"]), int(found["total"])
            devices[-1].utilisation_pct = number(found["use"])
        elif found := PROCESS_ROW.match(line):
            for device in devices:
                if device.index == int(found["index"]):
                    device.processes.append(
                        {"pid": int(found["pid"]), "name": found["name"], "memory_mib": int(found["memory"])}
                    )
    return devices


def _said(text: str | None) -> str | None:
    """None where the tool says that it does not know."""
    return None if text is None or text.strip() in {"", "N/A", "[N/A]", "[Not Supported]"} else text.strip()


vendors.add("nvidia", Nvidia())
