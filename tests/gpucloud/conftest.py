"""Imports wait until Django is set up."""

from typing import Any

import pytest


@pytest.fixture
def house(db: None) -> Any:
    from tests.factories import make_house

    return make_house()


@pytest.fixture
def node(db: None) -> Any:
    from tests.gpucloud.pieces import make_node

    return make_node()


@pytest.fixture
def check(house: Any) -> Any:
    """Submits a `gpucloud.check` as the engineer."""
    from apps.gpucloud.services import submit_job

    def submit(params: dict[str, Any] | None = None, **options: Any) -> Any:
        return submit_job(house.actor("engineer"), house.project, "gpucloud.check", params or {}, **options)

    return submit
