"""Everybody sets a name and a language."""

import pytest

from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return make_house()


URL = "/account/profile/"


def test_name_and_language(house):
    client = house.client("viewer")
    assert house.viewer.email in client.get(URL).content.decode()
    client.post(URL, {"name": "Wei", "language": "zh-hans"})
    house.viewer.refresh_from_db()
    assert (house.viewer.name, house.viewer.language) == ("Wei", "zh-hans")


def test_nothing_else_can_be_set(house):
    house.client("viewer").post(URL, {"name": "Wei", "language": "en", "is_superuser": "1", "email": "x@example.com"})
    house.viewer.refresh_from_db()
    assert not house.viewer.is_superuser
    assert house.viewer.email.startswith("viewer")


def test_an_unknown_language_is_refused(house):
    assert house.client().post(URL, {"name": "x", "language": "tlh"}).context["form"].errors


def test_signed_out_goes_to_sign_in(house):
    assert house.client(None).get(URL).status_code == 302
