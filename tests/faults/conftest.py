"""Imports wait until Django is set up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def bare(transactional_db: None, tmp_path: Path) -> Iterator[Any]:
    """An installation of which nothing runs yet."""
    from tests.faults.installation import Installation

    place = Installation(tmp_path / "home")
    yield place
    place.end()


@pytest.fixture
def installation(bare: Any) -> Any:
    """Scheduler and finisher run; the test starts its agents."""
    bare.start_core()
    return bare
