"""`/api/v1/uploads/`: tus 1.0, and a plain form."""

import base64
import hashlib
import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.urls import reverse

from apps.core.errors import InvalidInput
from apps.core.models import Upload
from apps.core.services import append_to_upload, create_upload, create_upload_from_file
from apps.core.services.uploads import UploadLocked, part_path, sanitise_filename
from apps.core.storage import storage
from tests.factories import make_house

pytestmark = pytest.mark.django_db

CHUNK = "application/offset+octet-stream"
LIST = reverse("upload-list")


@pytest.fixture
def house():
    return make_house()


def metadata(**texts):
    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in texts.items())


def announce(client, house, size=10, filename="rows.jsonl", **headers):
    sent = {"Upload-Length": str(size), "Upload-Metadata": metadata(filename=filename, project=house.project.slug)}
    return client.post(LIST, headers=sent | headers)


def send(client, url, offset, body):
    return client.patch(url, body, content_type=CHUNK, headers={"Upload-Offset": str(offset)})


def test_a_file_in_two_pieces(house):
    client = house.api("expert")
    answer = announce(client, house)
    assert answer.status_code == 201
    url = answer["Location"]
    assert answer["Tus-Resumable"] == "1.0.0"
    assert send(client, url, 0, b"01234")["Upload-Offset"] == "5"
    head = client.head(url)
    assert (head["Upload-Offset"], head["Upload-Length"], head["Cache-Control"]) == ("5", "10", "no-store")
    assert send(client, url, 5, b"56789").status_code == 204
    upload = Upload.objects.get(pk=answer.json()["id"])
    assert upload.sha256 == hashlib.sha256(b"0123456789").hexdigest()
    assert not part_path(upload).exists()
    with storage().open(upload.sha256) as stored:
        assert stored.read() == b"0123456789"
    assert client.get(url).json()["complete"] is True


def test_what_a_broken_connection_left_is_cut_off(house):
    client = house.api("expert")
    answer = announce(client, house)
    send(client, answer["Location"], 0, b"01234")
    upload = Upload.objects.get()
    with part_path(upload).open("ab") as part:
        part.write(b"torn")
    send(client, answer["Location"], 5, b"56789")
    upload.refresh_from_db()
    assert upload.sha256 == hashlib.sha256(b"0123456789").hexdigest()


def test_a_wrong_offset_is_a_conflict_that_says_where_it_is(house):
    client = house.api("expert")
    url = announce(client, house)["Location"]
    send(client, url, 0, b"01234")
    answer = send(client, url, 0, b"01234")
    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["data"]["offset"]) == ("offset_mismatch", 5)


def test_more_than_was_announced_is_refused(house):
    client = house.api("expert")
    url = announce(client, house, size=3)["Location"]
    assert send(client, url, 0, b"0123").status_code == 400
    assert Upload.objects.get().offset_bytes == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "ten"}, 400),
        ({"Upload-Length": "9" * 18}, 429),
        ({"Upload-Metadata": "filename §§§"}, 400),
        ({"Upload-Metadata": "filename " + base64.b64encode(b"\xff\xfe").decode()}, 400),
    ],
)
def test_bad_announcements(house, headers, status):
    answer = announce(house.api("expert"), house, **headers)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert not Upload.objects.exists()


def test_the_wrong_content_type_is_refused(house):
    client = house.api("expert")
    url = announce(client, house)["Location"]
    answer = client.patch(url, b"{}", content_type="application/json", headers={"Upload-Offset": "0"})
    assert answer.status_code == 400


def test_a_viewer_may_not_upload_and_a_stranger_finds_nothing(house):
    assert announce(house.api("viewer"), house).status_code == 403
    assert announce(house.api("stranger"), house).status_code == 404
    url = announce(house.api("expert"), house)["Location"]
    assert house.api("stranger").get(url).status_code == 404
    assert send(house.api("stranger"), url, 0, b"x").status_code == 404
    assert send(house.api("viewer"), url, 0, b"x").status_code == 403
    assert house.client(None).get(url).status_code == 401


def test_a_form_sends_a_small_file_in_one_go(house):
    file = SimpleUploadedFile("rows.csv", b"a,b\n1,2\n")
    answer = house.api("expert").post(LIST, {"file": file, "project": house.project.slug})
    assert answer.status_code == 201
    assert answer.json()["complete"] is True


def test_a_form_without_a_file_names_the_field(house):
    answer = house.api("expert").post(LIST, {"project": house.project.slug})
    assert answer.json()["data"]["errors"][0]["field"] == "file"


def test_deleting_takes_the_bytes_along(house):
    client = house.api("expert")
    url = announce(client, house)["Location"]
    send(client, url, 0, b"01234")
    path = part_path(Upload.objects.get())
    assert path.exists()
    assert house.api("engineer").delete(url).status_code == 403
    assert client.delete(url).status_code == 204
    assert not path.exists()


def test_options_tell_what_is_spoken(house):
    answer = house.api("expert").options(LIST)
    assert answer.status_code == 204
    assert answer["Tus-Extension"] == "creation,termination"


def test_an_empty_file_is_an_error(house):
    with pytest.raises(InvalidInput, match="empty"):
        create_upload_from_file(house.actor("expert"), house.project, SimpleUploadedFile("x.csv", b""))


def test_a_long_name_keeps_its_ending():
    assert sanitise_filename("长" * 300 + ".jsonl").endswith(".jsonl")
    assert len(sanitise_filename("长" * 300 + ".jsonl")) <= 200


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_do_not_mix():
    house = make_house()
    actor = house.actor("expert")
    upload = create_upload(actor, house.project, "x.bin", 4)
    refused: list[type] = []

    def second() -> None:
        try:
            append_to_upload(actor, upload, 0, SimpleUploadedFile("x", b"bbbb"))
        except UploadLocked:
            refused.append(UploadLocked)
        finally:
            connection.close()

    with transaction.atomic():
        Upload.objects.select_for_update().get(pk=upload.pk)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=20)
    assert refused == [UploadLocked]
    assert append_to_upload(actor, upload, 0, SimpleUploadedFile("x", b"aaaa")).sha256
