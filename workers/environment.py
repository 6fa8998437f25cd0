"""What a run ran on: enough to say later why the same work came out differently elsewhere."""

import platform
import sys
from importlib import metadata
from typing import Any

from workers.spec import Spec

LIBRARIES = {
    "accelerate": "accelerate",
    "bitsandbytes": "bitsandbytes",
    "datasets": "datasets",
    "gguf": "gguf",
    "lm_eval": "lm-eval",
    "numpy": "numpy",
    "openvino": "openvino",
    "peft": "peft",
    "pyarrow": "pyarrow",
    "rensa": "rensa",
    "safetensors": "safetensors",
    "tokenizers": "tokenizers",
    "torch": "torch",
    "transformers": "transformers",
    "trl": "trl",
}
"""Module → distribution, of those that can change a result."""


def describe(spec: Spec) -> dict[str, Any]:
    """{"python", "processor", "threads", "devices", "libraries"}. Call it at the end of the run: only libraries that it
    has loaded count."""
    return {
        "python": platform.python_version(),
        "processor": _processor(),
        "threads": spec.cpus,
        "devices": _devices(spec),
        "libraries": {name: _version(name) for module, name in LIBRARIES.items() if module in sys.modules},
    }


def _devices(spec: Spec) -> list[str]:
    """Vendor and model of each granted accelerator, as far as the loaded libraries know it; `cpu` without any."""
    if not spec.accelerators:
        return ["cpu"]
    torch = sys.modules.get("torch")
    names = []
    for number, device in enumerate(spec.accelerators):
        vendor = str(device.get("vendor"))
        known = torch is not None and vendor == "nvidia" and torch.cuda.is_available()
        names.append(f"{vendor} {torch.cuda.get_device_name(number)}" if torch and known else vendor)
    return names


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            named = next((line for line in file if line.startswith(("model name", "Model"))), "")
    except OSError:
        named = ""
    return named.partition(":")[2].strip() or platform.machine()
