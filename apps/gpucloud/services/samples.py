"""What a model in training answers along the way: few steps, short texts, the newest word on each."""

from typing import Any

from apps.gpucloud.models import Job, JobEvent
from apps.gpucloud.services.transitions import add_event

STEPS_MAX = 24
QUESTIONS_MAX = 8
CHARACTERS = 4_000
TEXTS = ("question", "expected", "answer")


def store_sample(job: Job, event: dict[str, Any]) -> None:
    """Keep the answers of a step; a later attempt replaces what it does again. The caller holds the job's lock."""
    step = _step(event)
    answers = [_shortened(row) for row in _listed(event.get("answers"))]
    kept = JobEvent.objects.filter(job=job, type="sample")
    kept.filter(data__step__gte=step).delete()
    steps = sorted(kept.values_list("data__step", flat=True))
    if len(steps) >= STEPS_MAX:
        kept.filter(data__step=most_crowded(steps)).delete()
    add_event(job, "sample", {"step": step, "answers": answers})


def most_crowded(steps: list[int]) -> int:
    """The step whose neighbours are closest to each other: without it, the others still tell the story."""
    return min(zip(steps, steps[1:], steps[2:], strict=False), key=lambda near: near[2] - near[0])[1]


def _step(event: dict[str, Any]) -> int:
    step = event.get("step")
    return step if isinstance(step, int) and 0 <= step < 1 << 53 else 0


def _listed(answers: Any) -> list[dict[str, Any]]:
    return [row for row in answers if isinstance(row, dict)][:QUESTIONS_MAX] if isinstance(answers, list) else []


def _shortened(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(row.get(name) or "")[:CHARACTERS] for name in TEXTS}
