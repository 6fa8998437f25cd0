from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.prompts.gateway import Asked, running_gateway

if TYPE_CHECKING:
    from tests.factories import House


@pytest.fixture
def house(db: None) -> "House":
    from tests.factories import make_house  # models are ready only when a test runs

    return make_house()


@pytest.fixture
def asked(settings: Any) -> Iterator[Asked]:
    """What the gateway was asked."""
    with running_gateway() as (url, calls):
        settings.AIFS_GATEWAY_URL = url
        yield calls
