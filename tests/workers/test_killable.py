"""Children that can be killed: limits, replacement, errors, many threads."""

import os
import resource
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from workers import killable
from workers.errors import InvalidInput, LimitReached
from workers.killable import Pool


def work(payload: dict[str, Any]) -> Any:
    """Served by the children of these tests."""
    match payload["do"]:
        case "echo":
            return payload["value"]
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(payload["value"])
        case "eat":
            return len(bytearray(payload["value"]))
        case "answer":
            return "x" * payload["value"]
        case "refuse":
            raise InvalidInput("Row %(row)d is bad.", row=3, code="bad_row")
        case "die":
            os._exit(3)
        case "print":
            print("noise on standard output")
        case "bug":
            raise KeyError("lost")
        case "write":
            with open(payload["value"], "w") as file:
                file.write("x" * 10)
        case "environment":
            return dict(os.environ)
    return None


@pytest.fixture
def pool() -> Any:
    pool = Pool(f"{__name__}:work", size=2, cpu_s=0.2, wall_s=5, memory_mib=300, answer_bytes=1 << 16)
    yield pool
    pool.close()


def test_answers_and_stray_prints_do_no_harm(pool: Pool) -> None:
    assert pool.call({"do": "echo", "value": {"中": [1, None]}}) == {"中": [1, None]}
    pool.call({"do": "print"})
    assert pool.call({"do": "echo", "value": 2}) == 2


@pytest.mark.parametrize(
    "payload",
    [{"do": "spin"}, {"do": "eat", "value": 1 << 30}, {"do": "answer", "value": 1 << 20}, {"do": "die"}],
)
def test_what_breaks_a_limit_dies_and_is_replaced(pool: Pool, payload: dict[str, Any]) -> None:
    with pytest.raises(LimitReached):
        pool.call(payload)
    for number in range(3):
        assert pool.call({"do": "echo", "value": number}) == number


def test_who_breaks_a_limit_waits_for_the_next_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else does: the next call finds one that has started."""
    pool = Pool(f"{__name__}:work", size=1, cpu_s=0.2)
    with pytest.raises(LimitReached):
        pool.call({"do": "spin"})
    monkeypatch.setattr(killable, "_Child", None)
    assert pool.call({"do": "echo", "value": 1}) == 1
    pool.close()


@pytest.mark.timed
def test_a_child_that_only_waits_is_killed_by_the_clock() -> None:
    pool = Pool(f"{__name__}:work", size=1, wall_s=0.5)
    pool.call({"do": "echo", "value": 1})
    start = time.monotonic()
    with pytest.raises(LimitReached):
        pool.call({"do": "sleep", "value": 60})
    assert time.monotonic() - start < 5
    pool.close()


def test_errors_keep_their_kind_code_and_data(pool: Pool) -> None:
    with pytest.raises(InvalidInput) as caught:
        pool.call({"do": "refuse"})
    assert (caught.value.code, caught.value.data, str(caught.value)) == ("bad_row", {"row": 3}, "Row 3 is bad.")
    with pytest.raises(RuntimeError, match="lost"):
        pool.call({"do": "bug"})


def test_a_child_writes_no_file_and_inherits_no_secret(
    pool: Pool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")
    with pytest.raises((LimitReached, RuntimeError)):
        pool.call({"do": "write", "value": str(tmp_path / "x")})
    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0
    pool.close()
    assert "canary" not in str(pool.call({"do": "environment"}))


def test_a_child_that_was_killed_while_idle_is_replaced(pool: Pool) -> None:
    pool.call({"do": "echo", "value": 1})
    child = pool._idle.get_nowait()
    assert child is not None
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    pool._idle.put(child)
    assert pool.call({"do": "echo", "value": 2}) == 2


def test_many_threads_share_few_children(pool: Pool) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: pool.call({"do": "echo", "value": number}), range(200)))
    assert answers == list(range(200))


def test_a_server_with_a_thousand_connections_still_asks(pool: Pool) -> None:
    """Descriptors above 1023 are nothing special."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert pool.call({"do": "echo", "value": 1}) == 1
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
