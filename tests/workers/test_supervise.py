"""The supervisor with real processes: limits, stops, stragglers, and a run directory that is used once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workers import supervise

ROOT = Path(__file__).resolve().parents[2]
KIND = """
import os, signal, subprocess, sys, time
from typing import Any
from workers.kinds import register
from workers.params import Params as Base

class Params(Base):
    do: str

@register("toy.run", label="Toy")
def run(params: Params, io: Any) -> dict[str, Any]:
    exec(params.do)
    return {"secret": io.secret("canary"), "seen": sorted(os.environ)}
"""


@pytest.fixture
def directory(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    toy = tmp_path / "extra" / "workers_toy"
    toy.mkdir(parents=True)
    (toy / "run.py").write_text(KIND)
    return run


def start(directory, do, *, lease_s=30.0, grace_s=1.0, secrets=b"", launch="mine", **limits):
    """Start a supervisor of a child that executes `do`; the toy kind is put into the package by a site hook."""
    hook = directory.parent / "extra" / "sitecustomize.py"
    hook.write_text(f"import workers, sys\nworkers.__path__.append({str(directory.parent / 'extra' / 'workers')!r})\n")
    package = directory.parent / "extra" / "workers" / "toy"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "run.py").write_text(KIND)
    spec = {"job": "j", "kind": "toy.run", "params": {"do": do}, **limits}
    (directory / "spec.json").write_text(json.dumps(spec))
    (directory / "lease").touch()
    (directory / "launch").write_text("mine")
    paths = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{directory.parent / 'extra'}"}
    order = {
        "directory": str(directory),
        "launch": launch,
        "lease_s": lease_s,
        "grace_s": grace_s,
        "environment": paths,
    }
    process = subprocess.Popen(
        [sys.executable, "-S", "-m", "workers.supervise"], env=paths, stdin=subprocess.PIPE, start_new_session=True
    )
    process.stdin.write(json.dumps(order).encode() + b"\n" + secrets)
    process.stdin.close()
    return process


def exit_of(directory, process, timeout_s=30):
    process.wait(timeout_s)
    return json.loads((directory / "exit.json").read_text())


def until(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def words(directory):
    """What the child printed."""
    log = directory / "output.log"
    return log.read_text() if log.exists() else ""


def test_a_child_that_ends_well(directory):
    exit = exit_of(directory, start(directory, "print('hello')", secrets=b'{"canary": "s3cret"}'))
    assert (exit["code"], exit["reason"]) == (0, "")
    assert "hello" in words(directory)
    result = json.loads((directory / "events.jsonl").read_text().splitlines()[-1])["values"]
    assert result["secret"] == "s3cret", "handed over by descriptor"
    assert "AIFS_SECRETS_FD" not in result["seen"]
    assert "s3cret" not in (directory / "spec.json").read_text() + words(directory)


def test_stragglers_are_killed(directory):
    """A daemon in a session of its own, orphaned on purpose, is still a descendant of the supervisor."""
    do = (
        "p = subprocess.Popen(['sh', '-c', 'setsid sleep 300 & echo $!'], stdout=subprocess.PIPE, text=True)\n"
        "print('daemon', p.stdout.readline(), flush=True)"
    )
    exit = exit_of(directory, start(directory, do))
    daemon = int(words(directory).split("daemon")[1].split()[0])
    assert exit["code"] == 0 and not supervise.stat_fields(daemon)


def test_memory_is_limited_over_the_whole_family(directory):
    do = "subprocess.run([sys.executable, '-c', 'import time; x = bytearray(300 << 20); time.sleep(60)'])"
    exit = exit_of(directory, start(directory, do, memory_mib=200))
    assert exit["reason"] == "out_of_memory" and exit["peak_memory_mib"] > 200


def test_time_is_limited(directory):
    exit = exit_of(directory, start(directory, "time.sleep(60)", timeout_s=1))
    assert exit["reason"] == "timeout" and exit["code"] == -signal.SIGKILL


def test_processes_are_limited(directory, monkeypatch):
    do = "[subprocess.Popen(['sleep', '60']) for _ in range(600)]; time.sleep(60)"
    exit = exit_of(directory, start(directory, do), 60)
    assert exit["reason"] == "too_many_processes"


def test_asked_to_stop_it_asks_first(directory):
    do = (
        "io.listen_for_stop()\nprint('up', flush=True)\nwhile not io.should_stop: time.sleep(0.02)\nprint('checkpoint')"
    )
    process = start(directory, do, grace_s=20)
    until(lambda: "up" in words(directory))
    process.terminate()
    exit = exit_of(directory, process)
    assert (exit["code"], exit["stop_asked"], exit["reason"]) == (os.EX_TEMPFAIL, True, "")
    assert "checkpoint" in words(directory)


def test_what_ignores_the_question_is_killed_after_the_grace(directory):
    process = start(
        directory, "signal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)", grace_s=0.5
    )
    until(lambda: "up" in words(directory))
    process.terminate()
    assert exit_of(directory, process)["reason"] == "grace_over"


def test_killed_at_once_on_demand(directory):
    process = start(directory, "print('up', flush=True)\ntime.sleep(60)", grace_s=60)
    until(lambda: "up" in words(directory))
    process.send_signal(signal.SIGUSR1)
    assert exit_of(directory, process)["reason"] == "killed"


def test_a_stale_lease_ends_it(directory):
    process = start(directory, "print('up', flush=True)\ntime.sleep(60)", lease_s=1.5)
    lease = directory / "lease"
    until(lambda: lease.touch() or "up" in words(directory))
    for _ in range(10):
        lease.touch()
        time.sleep(0.2)
    assert process.poll() is None, "touched, it lives past its lease"
    assert exit_of(directory, process)["reason"] == "stale_lease"


def test_the_child_dies_with_its_supervisor(directory):
    process = start(directory, "print('pid', os.getpid(), flush=True)\ntime.sleep(60)")
    until(lambda: "pid" in words(directory))
    child = int(words(directory).split()[1])
    process.kill()
    process.wait()
    until(lambda: not supervise.stat_fields(child) or supervise.stat_fields(child)[0] == "Z")


def test_a_run_directory_is_used_once(directory):
    exit_of(directory, start(directory, "pass"))
    assert start(directory, "pass").wait(20) == supervise.ALREADY_USED
    (directory / "supervisor.json").unlink()
    assert start(directory, "pass", launch="another").wait(20) == supervise.ALREADY_USED


def test_a_spare_ends_with_its_agent():
    spare = subprocess.Popen(
        [sys.executable, "-S", "-m", "workers.supervise"], env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE
    )
    spare.stdin.close()
    assert spare.wait(20) == 0


def test_identity_tells_a_process_from_a_later_one():
    me = supervise.identity(os.getpid())
    assert supervise.is_alive(me)
    assert not supervise.is_alive({**me, "start": "1"})
    assert not supervise.is_alive({**me, "boot": "another"})
