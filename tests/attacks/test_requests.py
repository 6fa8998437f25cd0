"""Forged, hostile and oversized requests."""

import asyncio
import base64

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from django.urls import reverse

from apps.core import authentication
from apps.core.models import ApiKey, AuditEvent, Membership, Project, Upload, User
from apps.core.services.uploads import part_path, sanitise_filename
from tests.factories import PASSWORD, bearer, make_house

pytestmark = pytest.mark.django_db
JSON = "application/json"

NAMES = [
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "C:\\secret.txt",
    "%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252fetc%252fpasswd",
    "a/../../b",
    "x\0.jsonl",
    "x%00.jsonl",
    "..",
    ".",
    "",
    "C:x",
]


@pytest.fixture
def house():
    return make_house()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_that_leads_elsewhere_is_refused(house, name):
    metadata = f"filename {base64.b64encode(name.encode()).decode()},project {base64.b64encode(b'harbour').decode()}"
    answer = house.api("expert").post(
        reverse("upload-list"), headers={"Upload-Length": "3", "Upload-Metadata": metadata}
    )
    assert answer.status_code == 400
    assert not Upload.objects.exists()


def test_odd_but_honest_names_are_kept_readable():
    assert sanitise_filename("数据 (1).jsonl") == "数据 (1).jsonl"
    assert sanitise_filename('we<ird>:"n|ame?*.csv'.replace(":", "")) == "we_ird__n_ame__.csv"
    assert sanitise_filename(".hidden") == "hidden"
    assert sanitise_filename("-rf") == "rf"
    assert sanitise_filename("100%.csv") == "100%.csv"


def test_the_part_file_is_named_by_its_id_alone(house):
    upload = Upload(project=house.project, user=house.expert, filename="../x", size_bytes=1)
    assert part_path(upload).name == f"{upload.pk}.part"


@pytest.mark.parametrize(
    "path", ["../manage.py", "%2e%2e/manage.py", "..%2fmanage.py", "admin/css/../../../manage.py", "%00"]
)
def test_static_files_end_at_their_folder(client, settings, path):
    settings.WHITENOISE_USE_FINDERS = True
    assert client.get("/static/admin/css/base.css").status_code == 200
    assert client.get(f"/static/{path}").status_code in {400, 404}


def test_mass_assignment_changes_nothing(house):
    member = Membership.objects.get(user=house.viewer, project=house.project)
    house.api("owner").patch(
        reverse("member-detail", args=[member.pk]),
        {"role": "expert", "user": str(house.stranger.pk), "project": str(house.other_project.pk), "id": "x"},
        content_type=JSON,
    )
    member.refresh_from_db()
    assert (member.user, member.project, member.role) == (house.viewer, house.project, "expert")
    body = {"name": "k", "rights": ["view"], "user": str(house.stranger.pk), "hash": "0" * 64, "prefix": "admin"}
    house.client("viewer").post(reverse("api-key-list"), body | {"project": house.project.slug}, content_type=JSON)
    key = ApiKey.objects.get(name="k")
    assert key.user == house.viewer
    assert key.prefix != "admin"
    assert not User.objects.filter(is_superuser=True).exists()


def test_a_key_is_taken_from_the_header_only(house, client):
    plain = house.key("owner")
    assert client.get(reverse("project-list"), {"api_key": plain}).status_code == 401
    client.cookies["api_key"] = plain
    assert client.get(reverse("project-list")).status_code == 401


def test_wrong_keys_are_throttled_and_good_ones_are_not(house, monkeypatch):
    monkeypatch.setattr(authentication, "FAILURES_PER_MINUTE", 3)
    client = Client(REMOTE_ADDR="203.0.113.7")
    statuses = [
        client.get(reverse("project-list"), headers=bearer("aifs_aaaaaaaa_wrong")).status_code for _try in range(5)
    ]
    assert statuses == [401, 401, 401, 429, 429]
    assert client.get(reverse("project-list"), headers=bearer(house.key("viewer"))).status_code == 200


def test_signing_in_is_throttled_and_tells_nobody_who_exists():
    house, client = make_house("throttled"), Client(REMOTE_ADDR="203.0.113.8")
    url = reverse("account_login")
    known = client.post(url, {"login": house.owner.email, "password": "wrong password"})
    unknown = client.post(url, {"login": "nobody@example.com", "password": "wrong password"})
    assert str(known.context["form"].errors) == str(unknown.context["form"].errors)
    for _try in range(12):
        client.post(url, {"login": house.owner.email, "password": "wrong password"})
    client.post(url, {"login": house.owner.email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_forgetting_a_password_tells_nobody_who_exists():
    house, client = make_house("forgotten"), Client(REMOTE_ADDR="203.0.113.9")
    url = reverse("account_reset_password")
    answers = [client.post(url, {"email": email}) for email in (house.owner.email, "nobody@example.com")]
    assert answers[0].status_code == answers[1].status_code == 302
    assert answers[0]["Location"] == answers[1]["Location"]


def test_pages_and_the_api_want_a_csrf_token_from_a_session(house):
    client = Client(enforce_csrf_checks=True)
    client.force_login(house.owner, backend="django.contrib.auth.backends.ModelBackend")
    page = client.post(reverse("core:project_create"), {"name": "Forged"})
    assert page.status_code == 403
    api = client.post(reverse("project-list"), {"name": "Forged"}, content_type=JSON)
    assert api.status_code == 403
    assert api["Content-Type"] == "application/problem+json"
    assert not Project.objects.filter(name="Forged").exists()
    program = Client(enforce_csrf_checks=True, headers=bearer(house.key("owner")))
    body = {"name": "k", "rights": ["view"]}
    assert program.post(reverse("api-key-list"), body, content_type=JSON).status_code == 201


def test_a_foreign_host_is_refused(house):
    answer = house.client().get(reverse("home"), headers={"Host": "evil.example"})
    assert answer.status_code == 400


def test_markup_in_names_is_inert(house):
    house.project.name = "<script>alert(1)</script>"
    house.project.save()
    answer = house.client().get(reverse("core:settings_keys", args=[house.project.slug]))
    assert "<script>alert(1)" not in answer.content.decode()
    policy = answer["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy


def test_secrets_stand_in_no_audit_event(house):
    plain = house.key("owner")
    for event in AuditEvent.objects.all():
        assert plain not in str(event.__dict__)
        assert plain.rpartition("_")[2] not in str(event.data)


# --- WebSockets


def connect(path: str, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the application accepts the socket."""
    from aifs.asgi import application

    async def ask() -> bool:
        scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []}
        socket = ApplicationCommunicator(application, scope)
        await socket.send_input({"type": "websocket.connect"})
        answer = await socket.receive_output(10)
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(10)
        return bool(answer["type"] == "websocket.accept")

    return asyncio.run(ask())


def cookie(house, part):
    return b"cookie", f"sessionid={house.client(part).cookies['sessionid'].value}".encode()


HOST = (b"host", b"127.0.0.1:8000")
HERE = (b"origin", b"http://127.0.0.1:8000")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "headers",
    [
        [HOST, HERE],
        [HOST, (b"origin", b"https://evil.example")],
        [HOST, (b"origin", b"http://127.0.0.1:9999")],
        [HOST, (b"origin", b"null")],
        [(b"host", b"evil.example"), (b"origin", b"http://evil.example")],
        [HOST],
    ],
)
def test_a_socket_from_another_site_or_from_nobody_is_refused(headers):
    house = make_house()
    foreign = headers != [HOST, HERE]
    sent = [*headers, cookie(house, "owner")] if foreign else headers
    assert not connect(f"/ws/jobs/{house.project.pk}/", sent)


@pytest.mark.django_db(transaction=True)
def test_a_socket_with_a_wrong_key_is_refused():
    house = make_house()
    wrong = [(b"authorization", b"Bearer aifs_aaaaaaaa_wrong")]
    assert not connect(f"/ws/jobs/{house.project.pk}/", [HOST, *wrong])
