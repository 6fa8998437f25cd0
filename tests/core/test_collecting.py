"""Stored files that nothing names go, in two steps; what is named, or may be at any moment, stays readable."""

import os
import threading
from datetime import timedelta
from io import StringIO

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from apps.core import tasks
from apps.core.errors import NotFound
from apps.core.models import Artefact, Upload
from apps.core.services import collecting, register_artefact
from apps.core.services.collecting import COLLECT_LOCK, collect
from apps.gpucloud.models import Attempt
from tests.factories import make_house

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_storage(store, monkeypatch):
    """Of every kind, for this test alone."""
    monkeypatch.setattr(collecting, "storage", lambda: store)


@pytest.fixture
def wait(monkeypatch):
    """So many days pass, from the beginning of the test."""

    def pass_by(days):
        later = timezone.now() + timedelta(days=days)
        monkeypatch.setattr(collecting, "timezone", type("Clock", (), {"now": staticmethod(lambda: later)}))

    return pass_by


@pytest.fixture
def house():
    return make_house()


@pytest.fixture
def put(store, tmp_path):
    def put(text):
        path = tmp_path / "source"
        path.unlink(missing_ok=True)  # a stored file may be a link to the one before
        path.write_text(text)
        return store.put_file(path)[0]

    return put


@pytest.fixture
def register(house, put):
    """An artefact of one file, named by a row."""

    def register(text="named", project=None):
        sha256 = put(text)
        manifest = {"a.txt": {"sha256": sha256, "size": len(text)}}
        return register_artefact(project=project or house.project, type="report", name=text, manifest=manifest), sha256

    return register


@pytest.fixture(autouse=True)
def anchor(register):
    """A database that names something."""
    return register("anchor")


def read(store, sha256):
    with store.open(sha256) as file:
        return file.read().decode()


def test_what_nothing_names_goes_in_two_steps(store, put, anchor, wait):
    lost = put("lost")
    wait(2)
    done = collect()
    assert (done.thrown_away, done.thrown_away_bytes, done.deleted) == (1, 4, 0)
    assert read(store, lost) == "lost", "it can still be read"
    wait(6)
    assert collect() == collecting.Collected()
    wait(8)
    done = collect()
    assert (done.thrown_away, done.deleted, done.deleted_bytes) == (0, 1, 4)
    with pytest.raises(NotFound):
        store.open(lost)
    assert read(store, anchor[1]) == "anchor"


def test_what_is_young_stays(store, put, wait):
    put("just written")
    assert collect() == collecting.Collected()
    wait(0.9)
    assert collect() == collecting.Collected()


def test_a_linked_file_is_as_young_as_its_storing(store, tmp_path):
    path = tmp_path / "made long ago"
    path.write_text("old")
    os.utime(path, (0, 0))
    store.put_file(path)
    assert collect() == collecting.Collected()


def test_all_that_is_named_stays(store, house, put, register, wait):
    """By an artefact, by two of two projects of which one goes, by an upload, by the attempt of a run that goes on."""
    shared, sha256 = register("shared")
    register("shared", house.other_project)
    Artefact.objects.filter(pk=shared.pk).delete()
    upload = put("uploaded")
    Upload.objects.create(
        project=house.project, user=house.expert, filename="a", size_bytes=8, offset_bytes=8, sha256=upload
    )
    wait(30)
    assert collect() == collecting.Collected()
    assert read(store, sha256) == "shared" and read(store, upload) == "uploaded"


def test_what_a_run_has_stored_stays_while_it_goes_on(store, house, put, wait):
    from apps.gpucloud.services import submit_job
    from apps.gpucloud.services.attempts import note_outputs
    from tests.gpucloud.pieces import make_node, schedule, started

    make_node()
    job = submit_job(house.actor("engineer"), house.project, "gpucloud.check", {})
    schedule()
    claim, sha256 = started(job), put("result")
    note_outputs(claim, {"report": {"type": "x", "manifest": {"a": {"sha256": sha256, "size": 6}}}})
    wait(30)
    assert collect() == collecting.Collected()
    Attempt.objects.filter(pk=claim.attempt_id).update(state="failed")
    assert collect().thrown_away == 1
    note_outputs(claim, {})
    assert Attempt.objects.get(pk=claim.attempt_id).outputs, "an attempt that has ended is not written to"


def test_a_deleted_artefact_frees_its_files(store, register, wait):
    artefact, sha256 = register("model")
    artefact.delete()
    wait(2)
    collect()
    wait(10)
    assert collect().deleted == 1 and not store.has(sha256)


def test_an_old_object_named_right_before_it_goes_is_brought_back(store, put, house, wait, monkeypatch):
    """The race: the bytes are there, so they are not written again; then they are thrown away, then they are named."""
    lost = put("again")
    wait(2)
    whole = collecting._unnamed

    def reused_meanwhile(*arguments):
        going = whole(*arguments)
        if going:
            put("again")
        return going

    monkeypatch.setattr(collecting, "_unnamed", reused_meanwhile)
    assert collect().thrown_away == 1
    manifest = {"a.txt": {"sha256": lost, "size": 5}}
    register_artefact(project=house.project, type="report", name="again", manifest=manifest)
    assert read(store, lost) == "again", "no reader notices"
    wait(30)
    done = collect()
    assert (done.brought_back, done.deleted) == (1, 0)
    assert lost in store.list_folder(lost[:2]) and lost not in store.list_trash(lost[:2])
    assert collect() == collecting.Collected()


def test_what_is_stored_again_while_it_lies_in_the_trash_is_written_anew(store, put, register, wait):
    lost = put("again")
    wait(2)
    collect()
    _artefact, sha256 = register("again")
    assert sha256 == lost and sha256 in store.list_folder(sha256[:2])
    wait(20)
    collect()
    wait(40)
    collect()
    assert read(store, sha256) == "again" and sha256 not in store.list_trash(sha256[:2])


def test_broken_off_anywhere_nothing_named_is_lost(store, put, register, wait, monkeypatch):
    """Where a move is a copy and a removal, both may be there; the next time clears it up."""
    lost, (_artefact, kept) = put("lost"), register("kept")
    wait(2)
    if store.local:
        monkeypatch.setattr("os.rename", lambda *names: (_ for _ in ()).throw(OSError("killed")))
    else:
        monkeypatch.setattr(store.fs, "rm_file", lambda path: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        collect()
    monkeypatch.undo()
    monkeypatch.setattr(collecting, "storage", lambda: store)
    assert read(store, lost) == "lost" and read(store, kept) == "kept"
    for days in (2, 4, 20, 40):
        wait_again(monkeypatch, days)
        collect()
    assert not store.has(lost) and read(store, kept) == "kept"


def wait_again(monkeypatch, days):
    later = timezone.now() + timedelta(days=days)
    monkeypatch.setattr(collecting, "timezone", type("Clock", (), {"now": staticmethod(lambda: later)}))


def test_what_was_just_stored_can_be_read_while_all_is_thrown_away(store, put, wait, tmp_path):
    """As nothing counts as young, every file is taken as soon as it is there, some of them while they are stored."""
    for number in range(8):
        put(f"common {number}")
    wait(2)
    failures = []

    def store_and_look(worker):
        for turn in range(12):
            path = tmp_path / f"{worker}-{turn}"
            path.write_text(f"common {turn % 8}")
            sha256, _size = store.put_file(path)
            if read(store, sha256) != f"common {turn % 8}":
                failures.append(sha256)

    def look(worker):
        try:
            store_and_look(worker)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=look, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        collect()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_database_that_names_nothing_is_not_this_storages(store, put, anchor, wait):
    lost = put("lost")
    anchor[0].delete()
    wait(30)
    assert collect() == collecting.Collected()
    assert lost in store.list_folder(lost[:2])


def test_two_do_not_collect_at_one_time(put, wait):
    put("lost")
    wait(2)
    with psycopg.connect(settings.DATABASE_URL, dbname=connection.settings_dict["NAME"], autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", COLLECT_LOCK)
        assert collect() == collecting.Collected()
        other.execute("SELECT pg_advisory_unlock_all()")
    assert collect().thrown_away == 1
    assert collect() == collecting.Collected(), "the lock is given back"


def test_bit_by_bit_all_is_looked_through(put, wait, monkeypatch):
    for number in range(20):
        put(f"lost {number}")
    wait(2)
    asked = []
    monkeypatch.setattr(tasks, "COLLECT_S", 0)
    monkeypatch.setattr(tasks.current_app, "send_task", lambda name, args, **_options: asked.append(args[0]))
    thrown_away, whole = [], tasks.collecting.collect
    monkeypatch.setattr(
        tasks.collecting, "collect", lambda **options: thrown_away.append(whole(**options)) or thrown_away[-1]
    )
    tasks.collect()
    while asked:
        tasks.collect(asked.pop())
    assert len(thrown_away) > 10
    assert sum(done.thrown_away for done in thrown_away) == 20


def test_the_command_says_what_would_go_and_leaves_it(store, put, wait):
    lost = put("lost")
    wait(2)
    out = StringIO()
    call_command("tidy", "--dry-run", stdout=out)
    assert out.getvalue() == (
        "storage, if it were done: thrown away 1 (4 bytes), brought back 0, deleted 0 (0 bytes)\n"
    )
    assert lost in store.list_folder(lost[:2])
    call_command("tidy", stdout=out)
    assert lost in store.list_trash(lost[:2])
