"""What a run takes of its machine, measured on real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from apps.gpucloud.agent.usage import Usage
from apps.gpucloud.models import MetricChunk
from apps.gpucloud.services.events import Batch, store_batch
from tests.gpucloud.pieces import fresh, schedule, started
from workers.spec import Spec
from workers.supervise import family, stat_fields

BUSY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"


def spec(**fields):
    return Spec(job="j", kind="gpucloud.check", **fields)


@pytest.fixture
def parent():
    """A process whose child computes: as a supervisor with its run."""
    process = subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
    yield {"pid": process.pid}
    os.killpg(process.pid, signal.SIGKILL)  # its own session, hence its own group
    process.wait()


def sampled(usage, who, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        usage.next_at = 0.0
        event = usage.sample(who)
        if event and event["values"]["device.cpu_pct"] > 1:
            return event
        time.sleep(0.3)
    raise AssertionError("nothing was measured")


def test_cores_and_memory_of_the_whole_family(parent):
    event = sampled(Usage(spec(cpus=1), service=False), parent)
    assert event["type"] == "metric" and abs(event["step"] - time.time()) < 5
    assert 1 < event["values"]["device.cpu_pct"] <= 130
    assert 1 < event["values"]["device.memory_mib"] < 500


def test_nothing_is_said_too_often_or_of_nobody(parent):
    usage = Usage(spec(), service=False)
    assert usage.sample(None) is None
    assert usage.sample(parent) is None, "a share needs two looks"
    before = usage.before
    assert usage.sample(parent) is None and usage.before == before, "it is not due"
    assert Usage(spec(), service=True).every_s > usage.every_s
    usage.next_at = 0.0
    assert usage.sample({"pid": 2**22 - 1}) is None


def test_a_run_that_has_just_ended_is_no_point():
    """Its processes stand in the table until they are waited for, and hold nothing any more."""
    process = subprocess.Popen([sys.executable, "-c", "import subprocess; kept = subprocess.Popen(['true']); input()"],
                               stdin=subprocess.PIPE)  # fmt: skip
    usage = Usage(spec(), service=False)
    until = time.monotonic() + 20
    while not (children := family(process.pid)[1:]) or stat_fields(children[0])[:1] != ["Z"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    for _ in range(2):
        usage.next_at = 0.0
        assert usage.sample({"pid": process.pid}) is None
    process.communicate(b"\n")


def test_granted_accelerators_only(parent):
    usage = Usage(spec(accelerators=[{"vendor": "nvidia", "index": 1, "uuid": "GPU-1"}]), service=False)
    usage.devices = [
        {"uuid": "GPU-0", "utilisation_pct": 5, "memory_used_mib": 1},
        {"uuid": "GPU-1", "utilisation_pct": 90, "memory_used_mib": 4000},
    ]
    values = sampled(usage, parent)["values"]
    assert (values["device.gpu0_pct"], values["device.gpu0_memory_mib"]) == (90.0, 4000.0)
    assert "device.gpu1_pct" not in values


@pytest.mark.django_db
def test_it_is_a_chart_but_no_result(check, node):
    job = check()
    schedule()
    claim = started(job)
    values = {"device.cpu_pct": 50.0}
    store_batch(claim, Batch([{"type": "metric", "t": 1.0, "step": 1, "values": values | {"loss": 2.0}}], [], 1, 0))
    assert set(MetricChunk.objects.values_list("name", flat=True)) == {"device.cpu_pct", "loss"}
    assert fresh(job).metrics == {"loss": 2.0}
