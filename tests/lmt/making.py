"""A model and conversations in a project's store, and runs that have ended as a worker would end them."""

from pathlib import Path
from typing import Any

from apps.core.models import Project
from apps.core.storage import storage
from apps.datasets.models import DatasetVersion
from apps.gpucloud.models import Job
from apps.gpucloud.services import submit_job
from apps.lms.models import ModelVersion
from apps.lms.services import register_model_version
from tests.datasets.making import make_version
from tests.factories import House

SHAPE = {"hidden_size": 64, "layers": 2, "intermediate_size": 128, "heads": 4, "vocab_size": 259}
META: dict[str, Any] = {
    "family": "llama",
    "format": "safetensors",
    "parameters": 90_624,
    "dtype": "float32",
    "context_length": 512,
    "shape": SHAPE,
}


def make_model(project: Project, tmp_path: Path, name: str = "tiny", **meta: Any) -> ModelVersion:
    """A version whose files are not those of a model: no test here loads it."""
    folder = tmp_path / f"model-{name}"
    folder.mkdir()
    (folder / "model.safetensors").write_text(name)
    output = {"type": "model_version", "manifest": storage().put_tree(folder), "meta": {**META, **meta}}
    return register_model_version(project, name, output)


def make_data(house: House, tmp_path: Path, name: str = "facts") -> DatasetVersion:
    return make_version(house, tmp_path, name)


def start(house: House, tmp_path: Path, part: str = "engineer", **params: Any) -> Job:
    """A queued run."""
    model, data = make_model(house.project, tmp_path), make_data(house, tmp_path)
    wanted = {"model": str(model.pk), "dataset": str(data.pk), "name": "tuned", **params}
    return submit_job(house.actor(part), house.project, "lmt.sft", wanted, name="tuned")
