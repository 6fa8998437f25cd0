from pathlib import Path

import pytest

from tests.workers import tiny


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random 2-layer Llama; never write into it."""
    return tiny.make_model(tmp_path_factory.mktemp("tiny") / "model")
