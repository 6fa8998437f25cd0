"""Who has an account is told to nobody: not by words, not by statuses, not by the work that is done."""

import re
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import reverse

from apps.core.services import invite_member
from tests.factories import PASSWORD, House, make_house

pytestmark = pytest.mark.django_db
NOBODY = "nobody-here@example.com"


@pytest.fixture
def house() -> House:
    return make_house()


def alike(answer: Any, *emails: str) -> tuple[int, str, str]:
    """What a caller sees, without what he sent himself and what is new every time."""
    text = answer.content.decode()
    for email in emails:
        text = text.replace(email, "…")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[^\"<]*|[A-Za-z0-9_-]{40,}", "…", text)
    return answer.status_code, answer.get("Location", ""), re.sub(r"\s+", " ", text)


def test_an_invitation_does_not_tell_who_has_an_account(house: House) -> None:
    """A stranger with an account elsewhere, and nobody at all."""
    known = house.stranger.email
    url = reverse("member-list")
    answers = [
        house.api().post(url, {"email": email, "role": "viewer"}, content_type="application/json")
        for email in (known, NOBODY)
    ]
    assert answers[0].status_code == 201
    assert alike(answers[0], known) == alike(answers[1], NOBODY)


@pytest.mark.parametrize("invited", [False, True])
def test_signing_up_does_not_tell_who_has_an_account(house: House, invited: bool) -> None:
    """Neither without an invitation nor with one that is for somebody else."""
    seen = []
    for email in (house.stranger.email, NOBODY):
        client = Client(REMOTE_ADDR="203.0.113.20")
        if invited:
            _row, token = invite_member(house.actor(), house.project, "third@example.com", "viewer")
            client.get(reverse("core:invitation_open", args=[token]))
        form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
        seen.append(alike(client.post(reverse("account_signup"), form), email))
        assert "_auth_user_id" not in client.session
    assert seen[0] == seen[1]


def test_signing_in_works_as_hard_for_nobody(house: House, monkeypatch: Any) -> None:
    """A password is hashed whether or not there is somebody: the time tells nothing."""
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher,
        "encode",
        lambda self, password, salt: hashed.append(password) or encode(self, password, salt),
    )
    counts = []
    for email in (house.owner.email, NOBODY):
        hashed.clear()
        answer = Client(REMOTE_ADDR="203.0.113.21").post(
            reverse("account_login"), {"login": email, "password": "wrong"}
        )
        assert answer.status_code == 200
        counts.append(hashed.count("wrong"))
    assert counts[0] == counts[1] >= 1


def test_resetting_a_password_tells_the_same(house: House, mailoutbox: Any) -> None:
    seen = []
    for email in (house.owner.email, NOBODY):
        answer = Client(REMOTE_ADDR="203.0.113.22").post(
            reverse("account_reset_password"), {"email": email}, follow=True
        )
        seen.append(alike(answer, email))
    assert seen[0] == seen[1]
    assert [mail.to for mail in mailoutbox if "/password/reset/key/" in mail.body] == [[house.owner.email]]


def test_a_guessed_link_opens_nothing(house: House) -> None:
    """Of invitations and of resets: 404 or the same page, whatever is guessed."""
    client = Client(REMOTE_ADDR="203.0.113.23")
    for token in ("x", "0" * 43, "' OR 1=1 --", "%00", "../" * 5):
        answer = client.get(reverse("core:invitation_open", args=["TOKEN"]).replace("TOKEN", token))
        assert answer.status_code == 404, token
    answer = client.get(reverse("account_reset_password_from_key", args=["1", "abc-def"]))
    assert house.owner.email not in answer.content.decode()
