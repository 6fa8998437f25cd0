"""The parts of the agent that need no database: reading growing files, judging exits, what a child may see."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from apps.gpucloud.agent import files
from apps.gpucloud.agent.cleaning import days_to_keep, superfluous
from apps.gpucloud.agent.files import Tail, parse_events, parse_output
from apps.gpucloud.agent.processes import child_environment, mark_of, new_launch
from apps.gpucloud.agent.verdict import LIMITS, judge
from apps.gpucloud.models import Job
from workers.spec import Spec

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


@pytest.mark.django_db
def test_old_run_directories_of_ended_jobs_go(check, tmp_path):
    ended, running, recent = check(), check(), check()
    Job.objects.filter(pk__in=[ended.pk, recent.pk]).update(state="succeeded")
    for job, age_days in ((ended, 9), (running, 9), (recent, 1)):
        folder = tmp_path / str(job.pk)
        folder.mkdir()
        os.utime(folder, (time.time() - age_days * 86_400,) * 2)
    (tmp_path / ".north.lock").touch()
    (tmp_path / "01a20c67-ba09-7863-855c-03e8ed96a244").mkdir()
    assert superfluous(tmp_path, 7) == [tmp_path / str(ended.pk)]


@pytest.mark.parametrize(("free", "days"), [(200, 7), (100, 7), (99, 1 / 24)])
def test_they_go_sooner_when_the_disk_is_short(free, days, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(total=1_000, free=free))
    assert days_to_keep(tmp_path, 7) == days
    assert days_to_keep(tmp_path, 0.01) == 0.01
