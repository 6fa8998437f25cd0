"""When the demo says that it worked."""

import json
from pathlib import Path
from typing import Any

import pytest

from aifs.demo import report
from aifs.demo.screen import Screen

GOOD: dict[str, Any] = {
    "rows_in": 92, "rows_kept": 72, "rows_quarantined": 8, "rows_dropped": 12, "loss_before": 3.0, "loss_after": 0.6,
    "benchmark": {"aifs-facts": {"before": 0.25, "after": 0.5, "n": 44}}, "question": "?", "answer_before": "a",
    "answer_after": "In PostgreSQL.", "served_tokens_per_s": 50.0, "openai_answer": "PostgreSQL.", "openai_call": "…",
    "prompt_service_answer": "In PostgreSQL.", "model": "m:1", "deployment": "d", "prompt_service": "prompt/p",
    "urls": {"model": "http://127.0.0.1"}, "seconds": {"import": 1.0},
}  # fmt: skip


def test_a_good_run_has_no_problems_and_is_written_whole(tmp_path: Path) -> None:
    assert report.problems(GOOD, shipped=True) == []
    path = report.write(GOOD, tmp_path / "demo" / "report.json")
    assert json.loads(path.read_text()) == GOOD
    Screen().table(GOOD)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rows_dropped": 11}, "add up"),
        ({"loss_after": 2.0}, "fell by 33% only"),
        ({"served_tokens_per_s": 0.0}, "speed"),
        ({"openai_answer": ""}, "lacks openai_answer"),
        ({"benchmark": {}}, "lacks benchmark"),
        ({"answer_after": "In Redis."}, "answer_after does not name PostgreSQL: In Redis."),
        ({"prompt_service_answer": "b"}, "prompt_service_answer does not name"),
    ],
)
def test_what_did_not_work_is_said(changed: dict[str, Any], words: str) -> None:
    assert words in report.problems(GOOD | changed, shipped=True)[0]


def test_a_users_own_data_promises_no_loss() -> None:
    assert report.problems(GOOD | {"loss_after": 2.9, "answer_after": "b"}, shipped=False) == []


def test_a_long_job_gives_a_sign_of_life_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    screen = Screen()
    screen.console.file = None  # what capsys listens to
    event = {"type": "job", "progress": {"message": "Training", "done": 1, "total": 80}}
    with screen.step("Tune"):
        for second in range(45):
            clock[0] = 1000.0 + second
            screen.beat(event | {"progress": event["progress"] | {"done": second}})  # type: ignore[operator]
        screen.beat({"type": "metric", "values": {}})
    assert capsys.readouterr().out.count("Training:") == 2
