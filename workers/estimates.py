"""What a job will take, told before it starts: the shape of an estimate, and the machine's figures behind all of them.

The speeds are what was measured on two cores with a model of 135 M parameters (docs/reference/performance.md); a larger
model uses the machine better, so that the figures are cautious. No torch in here.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from workers.words import marked as _

MIB = 1 << 20
FLOOR_MIB = 700
"""What Python, torch and the libraries around a model take before any model."""
CORE_OPS_PER_S = 65e9
"""One processor core in float32."""
ACCELERATOR_OPS_PER_S = 6e13
DISK_BYTES_PER_S = 3e8
MEMORY_BYTES_PER_S = 6.5e9
"""Weights streamed through one core, once for every token that is written one after the other."""
ACCELERATOR_MEMORY_BYTES_PER_S = 1e12
"""Not measured here: about a fifth of what one of today's cards can."""
CHARACTERS_PER_TOKEN = {"western": 4.0, "chinese": 0.7}
"""Small vocabularies need about 1.5 tokens for a Chinese character."""
TEMPLATE_TOKENS = 12
"""What a chat template adds to every message."""
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
BATCH_TOKENS = 2048
"""Tokens that a pass reads at most when it only measures (workers/lms/loss.py, workers/lms/scoring/likelihood.py)."""

MODEL_RECKONED = _("Reckoned from model, rows and settings; other work on the machine makes it slower.")


class Figure(NamedTuple):
    """One more line beside time and memory. look: `count`, `compact`, `number` or `size`."""

    label: str
    value: float
    look: str = "count"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """None for what cannot be told. start_s: the part of the time that is there however little there is to do."""

    seconds: int | None = None
    start_s: int | None = None
    memory_mib: int | None = None

    @property
    def figures(self) -> list[Figure]:
        return []

    @property
    def note(self) -> str:
        """What it rests on, as a marked text."""
        return MODEL_RECKONED

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class FromFile(Estimate):
    """Of an import: nobody has looked into the file yet."""

    size_bytes: int

    @property
    def figures(self) -> list[Figure]:
        return [Figure(_("File size"), self.size_bytes, "size")]


@dataclass(frozen=True)
class Machine:
    """What the job is given."""

    cpus: int = 1
    accelerators: int = 0

    @property
    def ops_per_s(self) -> float:
        return self.accelerators * ACCELERATOR_OPS_PER_S or max(1, self.cpus) * CORE_OPS_PER_S

    @property
    def dtype(self) -> str:
        """What `auto` computes in."""
        return "bfloat16" if self.accelerators else "float32"

    def writing_s(self, parameters: int, tokens: float) -> float:
        """Seconds for so many tokens written one after the other: each reads all weights once."""
        bytes_per_s = ACCELERATOR_MEMORY_BYTES_PER_S if self.accelerators else MEMORY_BYTES_PER_S
        return tokens * parameters * BYTES[self.dtype] / bytes_per_s


def tokens_of_row(dataset: dict[str, Any]) -> float:
    """Mean tokens of a row, from the characters that its import counted; 200 when nobody counted."""
    figures = (dataset.get("report") or {}).get("statistics") or {}
    rows, characters = int(dataset.get("rows") or 0), figures.get("characters_mean")
    if not rows or not characters:
        return 200.0
    chinese = min(1.0, figures.get("chinese_rows", 0) / rows)
    per_token = chinese * CHARACTERS_PER_TOKEN["chinese"] + (1 - chinese) * CHARACTERS_PER_TOKEN["western"]
    return float(characters) / per_token + TEMPLATE_TOKENS * float(figures.get("messages_mean") or 2)
