"""Engines and gateways to attack, and the table of the authorisation matrix."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.lms.conftest import committed_house, engine, gateway, tiny_model

if TYPE_CHECKING:  # needs Django, which is set up only when the tests run
    from tests.attacks.matrix import Table

__all__ = ["committed_house", "engine", "gateway", "tiny_model"]


@pytest.fixture(scope="session")
def table() -> "Iterator[Table]":
    from tests.attacks.matrix import Table

    filled = Table()
    yield filled
    if filled.cells:
        filled.write(os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid()))
