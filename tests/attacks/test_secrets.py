"""A canary secret shows up nowhere: not in logs, error pages, problems, lists, the audit, or the admin."""

import logging

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import authentication, services
from apps.core.models import ApiKey, AuditEvent
from tests.factories import bearer, make_house

pytestmark = pytest.mark.django_db
CANARY = "Canary-7f3a9-Password"
JSON = "application/json"


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog


def test_passwords_stand_in_no_log_and_no_audit(house, logged):
    house.owner.set_password(CANARY)
    house.owner.save()
    client, new = Client(), f"{CANARY}2"
    client.post(reverse("account_login"), {"login": house.owner.email, "password": CANARY})
    client.post(reverse("account_change_password"), {"oldpassword": CANARY, "password1": new, "password2": new})
    house.owner.refresh_from_db()
    assert house.owner.check_password(new)
    wrong = Client().post(reverse("account_login"), {"login": house.owner.email, "password": f"{CANARY}x"})
    assert CANARY not in wrong.content.decode()
    assert CANARY not in logged.text
    assert not [event for event in AuditEvent.objects.all() if CANARY in str(event.__dict__)]


def test_an_unexpected_error_shows_no_secret(house, logged, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("broken")

    plain = house.key("owner")
    monkeypatch.setattr(services, "create_api_key", fail)
    client = Client(raise_request_exception=False, headers=bearer(plain))
    answer = client.post(reverse("api-key-list"), {"name": CANARY, "rights": ["view"]}, content_type=JSON)
    assert answer.status_code == 500
    secret = plain.rpartition("_")[2]
    for canary in ("broken", CANARY, secret):
        assert canary not in answer.content.decode()
    assert secret not in logged.text
    assert CANARY not in logged.text


def test_a_key_stands_in_no_page_and_no_audit(house, admin_client, logged):
    plain = house.key("owner")
    key, slug = ApiKey.objects.get(), house.project.slug
    pages = [reverse("core:settings_keys", args=[slug]), reverse("core:audit_list", args=[slug])]
    pages += [reverse("api-key-list"), reverse("audit-event-list")]
    answers = [house.client("owner").get(page) for page in pages]
    answers += [
        admin_client.get(reverse("admin:core_apikey_changelist")),
        admin_client.get(reverse("admin:core_apikey_change", args=[key.pk])),
        admin_client.get(reverse("admin:core_auditevent_changelist")),
    ]
    assert {answer.status_code for answer in answers} == {200}
    answers += [Client().get(reverse("project-list"), headers=bearer(wrong)) for wrong in (f"{plain}x", plain[:-1])]
    for answer in answers:
        assert plain.rpartition("_")[2][:20] not in answer.content.decode()
        assert key.hash not in answer.content.decode()
    assert plain.rpartition("_")[2][:20] not in logged.text
    assert not [event for event in AuditEvent.objects.all() if plain[14:34] in str(event.__dict__)]


def test_links_of_resets_are_mailed_and_stand_in_no_log(house, logged, capfd, settings, mailoutbox):
    Client().post(reverse("account_reset_password"), {"email": house.owner.email})
    assert "/password/reset/key/" in mailoutbox[0].body
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    Client(REMOTE_ADDR="203.0.113.77").post(reverse("account_reset_password"), {"email": house.owner.email})
    out = capfd.readouterr()
    for text in (logged.text, out.out, out.err):
        assert "/password/reset/key/" not in text


@pytest.mark.parametrize(
    "text",
    [
        "aifs_x' OR '1'='1_y",
        "aifs_'; DROP TABLE core_apikey; --_y",
        "aifs_%27%20UNION%20SELECT%20hash_y",
        "' OR 1=1 --",
        "aifs_aaaaaaaa_" + "y" * 5_000,
    ],
)
def test_sql_in_a_key_is_401_by_the_one_comparison_of_all_keys(house, text, monkeypatch):
    """Digests of the same length are compared in constant time, once, whether or not a key has this prefix."""
    compared = []
    compare = authentication.secrets.compare_digest
    monkeypatch.setattr(
        authentication.secrets, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or compare(a, b)
    )
    plain = house.key("owner")
    for wrong in (text, plain[:-1] + ("a" if plain[-1] != "a" else "b")):
        answer = Client().get(reverse("project-list"), headers=bearer(wrong))
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthenticated"
    assert compared == [(64, 64), (64, 64)]
    assert ApiKey.objects.count() == 1


def test_rights_do_not_come_with_the_body(house):
    forged = {"is_superuser": "true", "is_staff": "true", "email": "boss@example.com", "role": "owner"}
    house.client("viewer").post(reverse("core:settings_profile"), {"name": "V", "language": "en"} | forged)
    house.viewer.refresh_from_db()
    assert (house.viewer.name, house.viewer.is_superuser, house.viewer.is_staff) == ("V", False, False)
    assert house.viewer.email.startswith("viewer")
    assert house.viewer.memberships.get(project=house.project).role == "viewer"
