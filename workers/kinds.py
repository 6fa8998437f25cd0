"""Job kinds: everything long that AIFS does. `workers/lmt/sft.py` registers kind `lmt.sft`, and nothing else is
needed."""

import contextlib
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers.params import Params
from workers.registry import Registry

if TYPE_CHECKING:
    from workers.io import RunIO

PACKAGES = ("workers.datasets", "workers.gpucloud", "workers.lms", "workers.lmt")


@dataclass(frozen=True)
class Resources:
    """What a run asks of a node. cpus: cores (also its thread count); memory_mib: 0 means no limit; accelerators:
    count; vendor: empty means any; timeout_s: 0 means no limit; disk_mib: free space to start with."""

    cpus: int = 1
    memory_mib: int = 0
    accelerators: int = 0
    vendor: str = ""
    timeout_s: int = 0
    disk_mib: int = 0


@dataclass(frozen=True)
class Kind:
    """One kind of job. `run(params, io)` does the work in a child process and returns its result as a dict of JSON."""

    name: str
    label: str
    run: Callable[[Any, "RunIO"], dict[str, Any]]
    params: type[Params]
    resources: Resources = Resources()
    service: bool = False
    """True for jobs that do not end by themselves, such as serving instances."""
    simple: bool = True
    """True when a business expert may start it."""
    doc: str = field(default="")


kinds: Registry[Kind] = Registry("job kind", *PACKAGES)


def find_kind(name: str) -> Kind:
    """The kind, by importing its own file first: a run should not wait for the plug-ins of all others."""
    module = f"workers.{name}"
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(module)
    return kinds.get(name)


def register(
    name: str, *, label: str, resources: Resources = Resources(), service: bool = False, simple: bool = True
) -> Callable[[Callable[[Any, "RunIO"], dict[str, Any]]], Callable[[Any, "RunIO"], dict[str, Any]]]:
    """Register the decorated `run` as a job kind; its module must hold a `Params` class."""

    def decorate(run: Callable[[Any, "RunIO"], dict[str, Any]]) -> Callable[[Any, "RunIO"], dict[str, Any]]:
        params = sys.modules[run.__module__].Params
        kinds.add(name, Kind(name, label, run, params, resources, service, simple, run.__doc__ or ""))
        return run

    return decorate
