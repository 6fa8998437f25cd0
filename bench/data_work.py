"""Imports, every cleaning step, a model's import and its publishing, each in a process of its own as a node runs it,
against what its form would have said: `apart` is how many times the larger of the two figures is the smaller one.

Time is what the processor spent, which another program on the machine does not change. Target: at most 3 times.
"""

import csv
import gzip
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.workers import tiny
from workers.datasets.base import steps
from workers.datasets.clean import Params as CleanParams
from workers.datasets.estimate import of_cleaning, of_import
from workers.estimates import Estimate
from workers.lms import estimate as models
from workers.lms.importing import Params as ModelParams
from workers.lms.model_folder import read_facts

TARGET = 3
CHANCE = random.Random(7)
WORDS = ["".join(CHANCE.choices("etaoinshrdlu", k=CHANCE.randint(2, 9))) for _ in range(5000)]
SIZES = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 12}


def run(folder: Path) -> dict[str, Any]:
    figures = [*imports(folder), *cleanings(folder), *of_models(folder)]
    return {"figures": figures, "target": TARGET, "passed": all(row["apart"] <= TARGET for row in figures)}


def imports(folder: Path) -> Iterator[dict[str, Any]]:
    for name, content in files(folder / "files"):
        yield compared(folder, "datasets.import", name, of_import(name, content.stat().st_size), upload(content))


def cleanings(folder: Path) -> Iterator[dict[str, Any]]:
    """Each step alone over short, long and Chinese rows, which the imports have left behind."""
    for source in ("short.jsonl", "long.jsonl", "chinese.jsonl"):
        meta = tiny.read_events(folder / source, "artefact")[-1]["meta"]
        for step, _plug in sorted(steps.items()):
            params = {"dataset": "d", "steps": [{"step": step}]}
            made = of_cleaning(CleanParams.model_validate(params), dataset=meta)
            given = {"dataset": ("dataset_version", folder / source / "outputs" / "dataset", meta)}
            yield compared(folder, "datasets.clean", f"{step}, {source}", made, given, params)


def of_models(folder: Path) -> Iterator[dict[str, Any]]:
    model = tiny.make_model(folder / "model", **SIZES)
    for kind in ("zip", "tar", "gztar"):
        packed = Path(shutil.make_archive(str(folder / kind / "model"), kind, model))
        made = models.of_import(ModelParams(source="s", name="n"), packed.name, packed.stat().st_size)
        yield compared(folder, "lms.import", packed.name, made, upload(packed))
    given = {"model": ("model_version", model, {}), "checkpoint": ("checkpoint", model, {})}
    made = models.of_publish(model=read_facts(model).meta(), is_adapter=False)
    yield compared(folder, "lms.publish", "whole", made, given, {"model": "m", "checkpoint": "c"})


def upload(path: Path) -> dict[str, Any]:
    """An input that is one file: alone in its folder, as a node lays it down."""
    alone = path.parent / f"only-{path.name}"
    alone.mkdir()
    path.rename(alone / path.name)
    return {"source": ("upload", alone, {"filename": path.name})}


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    folder.mkdir()
    rows = {
        "short": [asked(words, 16) for _ in range(60_000)],
        "long": [asked(words, 1200) for _ in range(3_000)],
        "chinese": [asked(chinese, 300) for _ in range(20_000)],
    }
    lines = {name: "\n".join(json.dumps(row, ensure_ascii=False) for row in many) for name, many in rows.items()}
    for name, text in lines.items():
        (folder / f"{name}.jsonl").write_text(text)
    middle = [asked(words, 100) for _ in range(20_000)]
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(lines["long"].encode()))
    (folder / "all.json").write_text(json.dumps(middle))
    (folder / "lines.txt").write_text("\n\n".join(row["output"] for row in middle))
    pq.write_table(pa.Table.from_pylist(middle), folder / "rows.parquet")
    with (folder / "table.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([f"column {number}" for number in range(15)])
        table.writerows(
            [CHANCE.choice([words(1), CHANCE.randint(0, 99_999)]) for _ in range(15)] for _ in range(30_000)
        )
    yield from ((path.name, path) for path in sorted(folder.iterdir()))


def asked(write: Any, length: int) -> dict[str, str]:
    return {"instruction": write(length // 4), "output": write(length * 3 // 4)}


def words(count: int) -> str:
    return " ".join(CHANCE.choices(WORDS, k=count))


def chinese(count: int) -> str:
    return "".join(map(chr, CHANCE.choices(range(0x4E00, 0x5800), k=count)))


def compared(
    folder: Path, kind: str, name: str, made: Estimate, inputs: dict[str, Any], params: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One job of the kind, run to its end, beside its estimate."""
    wanted = {"source": "s", "name": "n"} if params is None else params | {"name": "n"}
    taken = tiny.watched(tiny.write_spec(folder / name, kind, wanted, inputs))
    told_s, told_mib = made.seconds or 0, made.memory_mib or 0
    pairs = ((told_s, taken.processor_s), (told_mib, taken.memory_mib))
    return {
        "kind": kind, "what": name, "told_s": told_s, "processor_s": round(taken.processor_s, 2),
        "clock_s": round(taken.clock_s, 2), "told_mib": told_mib, "memory_mib": round(taken.memory_mib),
        "apart": round(max(max(pair) / min(pair) for pair in pairs), 2),
    }  # fmt: skip
