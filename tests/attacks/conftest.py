"""Engines and gateways to attack, and the table of the authorisation matrix."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.lms.conftest import committed_house, engine, gateway, house, tiny_model

if TYPE_CHECKING:  # needs Django, which is set up only when the tests run
    from tests.attacks.furnished import Furnished
    from tests.attacks.matrix import Table

__all__ = ["committed_house", "engine", "gateway", "house", "tiny_model"]


@pytest.fixture(scope="session")
def table() -> "Iterator[Table]":
    from tests.attacks.matrix import Table

    filled = Table()
    yield filled
    if filled.cells:
        filled.write(os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid()))


@pytest.fixture(scope="module")
def standing_place(django_db_setup: None, django_db_blocker: Any) -> "Iterator[Furnished]":
    """Furnished once for all tests of a file; the transaction of each lies within the one begun here."""
    from tests.attacks.furnished import furnish
    from tests.attacks.matrix import ACTORS, key_of, undone

    with django_db_blocker.unblock(), undone():
        place = furnish()
        for actor in ACTORS:
            key_of(place.house, actor)
        yield place


@pytest.fixture
def place(standing_place: "Furnished", db: None, monkeypatch: pytest.MonkeyPatch) -> "Furnished":
    from apps.core import authentication

    monkeypatch.setattr(authentication, "FAILURES_PER_MINUTE", 10**9)
    house = standing_place.house
    return replace(standing_place, house=replace(house, keys=dict(house.keys)))
