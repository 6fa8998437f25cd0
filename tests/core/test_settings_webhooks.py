"""Programs outside are told of a project's events: signed, tried again, and never at an address that is not public."""

import hashlib
import hmac
import http.server
import json
import threading
from datetime import timedelta

import pytest
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from apps.core import services
from apps.core.models import AuditEvent, Webhook, WebhookDelivery
from apps.core.services import deliveries, webhooks
from tests.factories import make_house

pytestmark = pytest.mark.django_db
PUBLIC = "https://1.1.1.1/hook"


@pytest.fixture
def house():
    return make_house()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers as told and remembers what came."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((dict(self.headers), body))
        self.send_response(self.server.status)
        for name, value in self.server.extra.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"so be it")

    def log_message(self, *_args):
        """Quiet."""


@pytest.fixture
def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.came, server.status, server.extra = [], 200, {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hook(house, receiver, settings):
    """A webhook to the receiver, whose address an operator has listed, with its secret."""
    settings.AIFS_PRIVATE_HOSTS = [f"127.0.0.1:{receiver.server_port}"]
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    return services.create_webhook(house.actor(), house.project, url, ["job.failed"])


def tell(house, event="job.failed"):
    services.emit(event, house.project, url="/p/harbour/", job="nightly")


def again():
    """As if the pause were over."""
    WebhookDelivery.objects.filter(next_at__isnull=False).update(next_at=timezone.now())


def test_a_message_is_signed_and_arrives_once(house, hook, receiver):
    tell(house)
    tell(house, "job.succeeded")
    assert deliveries.deliver_webhooks() == 1
    assert deliveries.deliver_webhooks() == 0
    [(headers, body)] = receiver.came
    message = json.loads(body)
    assert (message["event"], message["project"], message["text"]) == (
        "job.failed", "harbour", "The job “nightly” has failed.",
    )  # fmt: skip
    second, mark = (part.partition("=")[2] for part in headers["X-AIFS-Signature"].split(","))
    assert mark == hmac.new(hook[1].encode(), f"{second}.".encode() + body, hashlib.sha256).hexdigest()
    row = WebhookDelivery.objects.get()
    assert (row.attempts, row.status, row.answer, row.next_at) == (1, 200, "OK", None)
    assert hook[1] not in hook[0].secret


def test_it_is_tried_again_with_growing_pauses_and_then_given_up(house, hook, receiver):
    receiver.status = 500
    tell(house)
    pauses = []
    for _try in range(len(deliveries.PAUSES_S) + 1):
        assert deliveries.deliver_webhooks() == 0
        row = WebhookDelivery.objects.get()
        pauses.append(round((row.next_at - timezone.now()).total_seconds()) if row.next_at else None)
        again()
    assert pauses == [*deliveries.PAUSES_S, None]
    assert (row.status, row.attempts, len(receiver.came)) == (500, 6, 6)
    receiver.status = 200
    assert deliveries.deliver_webhooks() == 0


def test_who_dies_while_sending_leaves_it_to_the_next(house, hook, receiver):
    tell(house)
    assert deliveries._claim()
    assert deliveries.deliver_webhooks() == 0  # somebody has it
    WebhookDelivery.objects.update(next_at=F("next_at") - timedelta(seconds=61))
    assert deliveries.deliver_webhooks() == 1


def test_a_redirect_is_not_followed(house, hook, receiver):
    receiver.status, receiver.extra = 302, {"Location": f"http://127.0.0.1:{receiver.server_port}/other"}
    tell(house)
    assert deliveries.deliver_webhooks() == 0
    assert WebhookDelivery.objects.get().status == 302
    assert len(receiver.came) == 1


def test_a_name_that_leads_home_later_is_not_called(house, hook, receiver, settings):
    settings.AIFS_PRIVATE_HOSTS = []  # what was public when it was written down is not any more
    tell(house)
    assert deliveries.deliver_webhooks() == 0
    row = WebhookDelivery.objects.get()
    assert (row.status, receiver.came) == (0, [])
    assert "not a public one" in row.answer


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://2130706433/", "http://0177.0.0.1/", "http://[::1]/", "http://10.0.0.1/",
        "http://169.254.169.254/latest/", "http://[::ffff:127.0.0.1]/", "file:///etc/passwd", "http://localhost/",
        "gopher://1.1.1.1/",
    ],
)  # fmt: skip
def test_private_addresses_are_refused(house, url):
    answer = house.api().post(
        reverse("webhook-list"), {"url": url, "events": ["job.failed"]}, content_type="application/json"
    )
    assert answer.status_code == 400, answer.content
    assert not Webhook.objects.exists()


def test_metadata_stays_closed_whatever_is_listed(house, settings):
    settings.AIFS_PRIVATE_HOSTS = ["169.254.169.254:80"]
    assert post(house, url="http://169.254.169.254/").context["form"].errors["url"]


# --- the pages


def post(house, part="owner", **fields):
    body = {"url": PUBLIC, "events": ["job.failed"]} | fields
    return house.client(part).post(reverse("core:settings_webhooks", args=[house.project.slug]), body)


def test_settings_webhooks_show_the_secret_once(house):
    answer = post(house)
    secret = answer.context["fresh"]
    assert len(secret) > 30 and secret in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    page = house.client().get(reverse("core:settings_webhooks", args=[house.project.slug]))
    assert secret not in page.content.decode() and PUBLIC in page.content.decode()
    assert AuditEvent.objects.filter(action="webhook.create").exists()


@pytest.mark.parametrize("fields", [{"url": "nothing"}, {"events": []}, {"events": ["no.event"]}])
def test_bad_input_stands_beside_the_field(house, fields):
    assert list(post(house, **fields).context["form"].errors) == list(fields)


@pytest.mark.parametrize(("part", "status"), [("engineer", 403), ("stranger", 404), (None, 302)])
def test_only_owners(house, part, status):
    assert post(house, part).status_code == status
    assert not Webhook.objects.exists()


def test_there_is_an_end_to_webhooks(house, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST_WEBHOOKS", 1)
    post(house)
    assert post(house).context["form"].errors
    assert Webhook.objects.count() == 1


def test_webhook_detail_shows_the_log_and_switches_off(house, hook, receiver):
    receiver.status = 503
    tell(house)
    deliveries.deliver_webhooks()
    url = reverse("core:webhook_detail", args=[house.project.slug, hook[0].pk])
    assert "503" in house.client().get(url).content.decode()
    assert house.client("engineer").get(url).status_code == 403
    assert house.client("stranger").get(url).status_code == 404
    assert house.client().post(url, {"url": hook[0].url, "events": ["job.failed"]}).status_code == 302
    again()
    tell(house)
    assert (deliveries.deliver_webhooks(), len(receiver.came)) == (0, 1)
    assert house.client().post(url, {"url": "http://10.1.1.1/", "events": ["job.failed"]}).context["form"].errors


def test_webhook_delete(house, hook):
    url = reverse("core:webhook_delete", args=[house.project.slug, hook[0].pk])
    assert house.client("engineer").post(url).status_code == 403
    assert house.client("stranger").post(url).status_code == 404
    assert house.client().get(url).status_code == 405
    assert house.client().post(url).status_code == 302
    assert house.client().post(url).status_code == 404


def test_the_api(house, hook, receiver):
    api = house.api()
    made = api.post(
        reverse("webhook-list"), {"url": PUBLIC, "events": ["job.succeeded"]}, content_type="application/json"
    )
    assert made.status_code == 201 and made.json()["secret"]
    one = reverse("webhook-detail", args=[made.json()["id"]])
    assert "secret" not in api.get(one).json()
    changed = api.patch(one, {"enabled": False}, content_type="application/json").json()
    assert changed["enabled"] is False and changed["url"] == PUBLIC
    tell(house)
    deliveries.deliver_webhooks()
    log = api.get(reverse("webhook-deliveries", args=[hook[0].pk])).json()
    assert [(row["status"], row["attempts"]) for row in log] == [(200, 1)]
    assert api.delete(one).status_code == 204
    assert house.api("engineer").get(reverse("webhook-detail", args=[hook[0].pk])).status_code == 403
    assert house.api("stranger").get(reverse("webhook-detail", args=[hook[0].pk])).status_code == 404
