"""What a vendor plug-in gives: the command that lists its devices, a reader of that command's output, and how a run is
shown only the devices it was granted. A vendor is one file in this package."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from workers.errors import InvalidInput
from workers.registry import Registry
from workers.words import marked as _

TOOL_TIMEOUT_S = 20
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass
class Device:
    """One accelerator as its tool reports it; None where the tool does not say."""

    vendor: str
    index: int
    uuid: str | None = None
    model: str | None = None
    memory_total_mib: int | None = None
    memory_used_mib: int | None = None
    utilisation_pct: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    health: str | None = None
    """`ok`, or in a word what is wrong."""
    driver: str | None = None
    processes: list[dict[str, Any]] = field(default_factory=list)
    """{"pid", "name", "memory_mib"}."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Vendor:
    """Base of a vendor. tool: argument list of the command, empty when the vendor needs none."""

    name: ClassVar[str]
    tool: ClassVar[Sequence[str]] = ()

    def recognises(self, text: str) -> bool:
        """True when the text is an output of this vendor's tool."""
        raise NotImplementedError

    def parse(self, text: str) -> list[Device]:
        """Devices in a saved or live output. Raises InvalidInput when it cannot be read."""
        raise NotImplementedError

    def detect(self) -> list[Device]:
        """Devices of this machine: none when the tool is absent, fails or hangs."""
        if not self.tool or not shutil.which(self.tool[0]):
            return []
        try:
            done = subprocess.run(self.tool, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=True)
            return self.parse(done.stdout)
        except (OSError, subprocess.SubprocessError, InvalidInput, UnicodeDecodeError):
            return []

    def environment(self, granted: list[dict[str, Any]]) -> dict[str, str]:
        """Environment of a run that may see these devices ({"vendor", "index", "uuid"}) and no other of this vendor."""
        return {}


vendors: Registry[Vendor] = Registry("accelerator vendor", "workers.accelerators")


def detect() -> list[Device]:
    """Every device of this machine, of any vendor."""
    return [device for _name, vendor in vendors.items() for device in vendor.detect()]


def read(text: str) -> list[Device]:
    """Devices in a saved tool output of any known vendor."""
    for _name, vendor in vendors.items():
        if vendor.recognises(text):
            return vendor.parse(text)
    raise InvalidInput(_("This is no output of a known accelerator tool."), known=", ".join(vendors.names()))


def number(text: str | None) -> float | None:
    """The number a tool wrote, without its unit; None for N/A and the like."""
    found = NUMBER.search(text or "")
    return float(found.group()) if found and not (text or "").strip().startswith("[") else None


def whole(text: str | None) -> int | None:
    value = number(text)
    return None if value is None else round(value)
