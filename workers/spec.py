"""The JSON file that passes from the web side to a worker: enough to run, debug and reproduce the work by hand."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Input(BaseModel):
    """One input of a run. Its files lie under `path`, relative to the run directory."""

    model_config = ConfigDict(extra="forbid")

    type: str
    id: str
    name: str = ""
    path: str
    manifest: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """File path → {"sha256", "size"}."""
    meta: dict[str, Any] = Field(default_factory=dict)


class Spec(BaseModel):
    """One attempt at one job. No secrets in here: those come by file descriptor."""

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    job: str
    attempt: int = 1
    fence: int = 0
    kind: str
    name: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, Input] = Field(default_factory=dict)
    cpus: int = 1
    memory_mib: int = 0
    timeout_s: int = 0
    """The run is ended after this time; 0 means no limit."""
    accelerators: list[dict[str, Any]] = Field(default_factory=list)
    seed: int = 42
    resume_from: str | None = None
    """Folder of a checkpoint, relative to the run directory."""

    @classmethod
    def read(cls, path: Path) -> "Spec":
        return cls.model_validate(json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        temporary = path.with_suffix(".tmp")
        temporary.write_text(self.model_dump_json(indent=1))
        temporary.replace(path)
