from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.factories import House


@pytest.fixture
def house(db: None) -> "House":
    from tests.factories import make_house  # models are ready only when a test runs

    return make_house()
