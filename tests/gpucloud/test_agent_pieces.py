"""The parts of the agent that need no database: reading growing files, judging exits, what a child may see."""

import json
import os
import signal
import time
from concurrent.futures import wait
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.utils import timezone

from apps.gpucloud.agent import files
from apps.gpucloud.agent.cleaning import doom, is_short, superfluous
from apps.gpucloud.agent.files import Tail, parse_events, parse_output
from apps.gpucloud.agent.loop import Agent
from apps.gpucloud.agent.processes import child_environment, mark_of, new_launch
from apps.gpucloud.agent.verdict import LIMITS, judge
from apps.gpucloud.models import Job
from workers.spec import Spec
from workers.supervise import identity

QUIET = {"asked": False, "cancelled": False, "service": False}


# --- files


def test_only_whole_lines_are_read(tmp_path):
    tail = Tail(tmp_path / "events.jsonl")
    assert tail.read() == ([], 0) and not tail.has_grown()
    tail.path.write_bytes(b"one\ntwo\nthr")
    lines, offset = tail.read()
    assert (lines, offset) == ([b"one", b"two"], 8)
    tail.offset = offset
    assert tail.read() == ([], 8) and tail.has_grown()
    assert tail.read(ended=True) == ([b"thr"], 11)


def test_an_endless_line_does_not_stop_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LINE_BYTES", 100)
    monkeypatch.setattr(files, "READ_BYTES", 200)
    tail = Tail(tmp_path / "output.log")
    tail.path.write_bytes(b"x" * 450 + b"\nnext\n")
    seen = []
    while tail.has_grown():
        lines, tail.offset = tail.read()
        seen += lines
    assert b"".join(seen) == b"x" * 450 + b"next"


@pytest.mark.parametrize("size", range(1, 12))
def test_wherever_a_file_is_cut_nothing_is_lost_or_doubled(tmp_path, monkeypatch, size):
    monkeypatch.setattr(files, "READ_BYTES", 12)
    monkeypatch.setattr(files, "LINE_BYTES", 12)
    content = b"".join(b"%d\n" % number for number in range(40))
    tail, seen = Tail(tmp_path / "f"), []
    for end in range(0, len(content) + size, size):
        tail.path.write_bytes(content[:end])
        lines, tail.offset = tail.read()
        seen += lines
    while tail.has_grown():
        lines, tail.offset = tail.read()
        seen += lines
    assert seen == [b"%d" % number for number in range(40)]


def test_torn_and_foreign_lines_are_left_out():
    good = b'{"seq": 1, "t": 2.5, "type": "log", "message": "m"}'
    bad = [
        b'{"seq": 2, "t"',
        b"[]",
        b'"text"',
        b"{}",
        b'{"type": 3}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type": "log", "t": "x"}',
        b" ",
    ]
    assert [event["message"] for event in parse_events([*bad, good])] == ["m"]


def test_a_progress_bar_leaves_its_last_state():
    assert parse_output([b" 10%\r 50%\r100%", b"", b"done\r", "语料".encode()]) == ["100%", "done", "语料"]


# --- verdicts


@pytest.mark.parametrize(
    ("exit", "error", "change", "outcome", "again"),
    [
        ({"code": 0}, None, {}, "finish", False),
        ({"code": 0}, None, {"cancelled": True}, "stopped", False),
        ({"code": 75}, None, {}, "stopped", False),
        ({"code": 75}, None, {"asked": True}, "stopped", False),
        ({"code": -15}, None, {"asked": True}, "stopped", False),
        ({"code": -15}, None, {}, "failed", True),
        ({"code": -9, "reason": "grace_over"}, None, {"asked": True}, "stopped", False),
        ({"code": -9}, None, {}, "failed", True),
        ({"code": -11}, None, {}, "failed", True),
        ({"code": 1}, {"code": "invalid_input", "message": "m"}, {}, "failed", False),
        ({"code": 1}, {"code": "internal_error", "message": "m"}, {}, "failed", False),
        ({"code": 1}, None, {}, "failed", True),
        ({"code": -9, "reason": "out_of_memory"}, None, {}, "failed", False),
        ({"code": -9, "reason": "out_of_memory"}, None, {"asked": True}, "failed", False),
        ({"code": -9, "reason": "timeout"}, None, {}, "failed", False),
        ({"code": -9, "reason": "stale_lease"}, None, {}, "failed", True),
        ({"code": None, "reason": "supervisor_lost"}, None, {}, "failed", True),
        ({"code": 0}, None, {"service": True}, "failed", True),
        ({"code": 0}, None, {"service": True, "asked": True}, "stopped", False),
    ],
)
def test_what_an_exit_means(exit, error, change, outcome, again):
    verdict = judge(exit, error, **QUIET | change)
    assert (verdict.outcome, verdict.again) == (outcome, again)
    assert (verdict.why is None) == (outcome != "failed")


def test_every_limit_has_words():
    for name in LIMITS:
        why = judge({"code": -9, "reason": name}, None, **QUIET).why
        assert why and why["message"] and why["message"] % why["data"]


# --- what a child sees


def test_no_secret_reaches_a_child(tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "STORAGE_URL", "AIFS_API_KEY", "CANARY_TOKEN"):
        monkeypatch.setenv(name, "canary-secret")
    seen = child_environment(Spec(job="j", kind="gpucloud.check", cpus=3), tmp_path)
    assert "canary-secret" not in str(seen)
    assert seen["OMP_NUM_THREADS"] == "3" and seen["CUDA_VISIBLE_DEVICES"] == ""


def test_a_launch_names_itself_once(tmp_path):
    first, second = new_launch(tmp_path / "run"), new_launch(tmp_path / "run")
    assert first and second and first != second and (tmp_path / "run" / "launch").read_text() == second
    (tmp_path / "run" / "supervisor.json").write_text("{}")
    assert new_launch(tmp_path / "run") is None


def test_marks_are_read_from_processes():
    assert mark_of(os.getpid()) == "" and mark_of(2**22 + 5) == "" and signal.SIGKILL


# --- what is left on the disk


@pytest.fixture
def left(check, tmp_path):
    """A job and its folder, made and ended so many days ago."""

    def left(ended, state="succeeded"):
        job, at = check(), timezone.now() - timedelta(days=ended)
        Job.objects.filter(pk=job.pk).update(state=state, ended_at=at if state in Job.ENDED else None)
        folder = tmp_path / str(job.pk)
        (folder / "1").mkdir(parents=True)
        os.utime(folder, (time.time() - 30 * 86_400,) * 2)
        return folder

    return left


@pytest.mark.django_db
def test_old_run_directories_of_ended_jobs_go(left, tmp_path):
    oldest, old, _recent, _running = left(9), left(8), left(1), left(9, "running")
    (tmp_path / ".north.lock").touch()
    (tmp_path / "01a20c67-ba09-7863-855c-03e8ed96a244").mkdir()  # of a job that is in no records, touched just now
    assert superfluous(tmp_path, 7) == [oldest, old]
    assert superfluous(tmp_path, 7, short=True) == [oldest, old]


@pytest.mark.django_db
def test_where_the_disk_is_short_the_one_that_ended_first_goes(left, tmp_path):
    """Never one that runs, waits for a device or for space, is being registered, or is tended by the agent."""
    later, first, held = left(1), left(3), left(5)
    for state in Job.ACTIVE:
        left(6, state)
    tended = {UUID(held.name)}
    assert superfluous(tmp_path, 7, short=True, held=tended) == [first]
    doomed = doom(tmp_path, [first])
    assert not first.exists() and [path.parent for path in doomed] == [tmp_path]
    assert superfluous(tmp_path, 7, short=True, held=tended) == [later]
    assert doom(tmp_path, []) == doomed, "what a killed agent did not get to is taken up"
    doom(tmp_path, [later])
    assert superfluous(tmp_path, 7, short=True, held=tended) == []


@pytest.mark.django_db
def test_a_folder_with_a_living_supervisor_stays(left, tmp_path):
    folder = left(30)
    (folder / "1" / "supervisor.json").write_text(json.dumps(identity(os.getpid())))
    assert superfluous(tmp_path, 7, short=True) == []
    (folder / "1" / "supervisor.json").write_text(json.dumps(identity(os.getpid()) | {"start": "1"}))
    assert superfluous(tmp_path, 7) == [folder]


@pytest.mark.parametrize(("free", "short"), [(200, False), (100, False), (99, True)])
def test_the_floor_is_a_share_of_the_disk(free, short, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(total=1_000, free=free))
    assert is_short(tmp_path, 0.1) is short
    assert not is_short(tmp_path, 0)


@pytest.mark.django_db
def test_an_agent_cleans_until_there_is_space(left, tmp_path, monkeypatch, settings):
    """Folder by folder, longest ended first, and no more than that."""
    settings.AIFS_DISK_FLOOR = 0.1
    folders = [left(days) for days in (4, 3, 2, 1)]
    agent = Agent("north", "default", tmp_path)
    agent.next_cleaning = 0
    monkeypatch.setattr(
        "shutil.disk_usage",
        lambda path: SimpleNamespace(total=1_000, free=80 + 10 * sum(not folder.exists() for folder in folders)),
    )
    for _beat in range(6):
        agent._clean()
        wait(agent.cleaning)
    assert [folder.exists() for folder in folders] == [False, False, True, True]
    assert not list(tmp_path.glob(".doomed*")) and agent.next_cleaning > time.monotonic()
    agent.transfers.shutdown()
