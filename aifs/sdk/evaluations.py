"""Evaluations: how good a model is, on benchmarks and on held-out rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aifs.sdk.jobs import Job, output

if TYPE_CHECKING:
    from aifs.sdk.client import Client

Rows = list[dict[str, Any]]


class Evaluations:
    def __init__(self, client: "Client") -> None:
        self._client = client

    def start(
        self,
        model: str,
        *,
        suite: str = "",
        data: str | Path | None = None,
        subjects: Sequence[str] | None = None,
        shots: int | None = None,
        limit: int | None = None,
        told: Any = None,
        **params: Any,
    ) -> Job:
        """Start an evaluation. suite: `mmlu`, `ceval`, `cmmlu` with `data`, the folder of its original files; or the
        name of a benchmark dataset. params: `dataset` for held-out loss, `prompts` for greedy answers."""
        given: dict[str, Any] = {"model": model, **params}
        if suite and data is None and "benchmark" not in params and suite not in {"mmlu", "ceval", "cmmlu"}:
            given |= {"suite": "dataset", "benchmark": suite}
        elif suite:
            given["suite"] = suite
        if data is not None:
            given["source"] = self._client.uploads.send(data, told=told)
        optional = {"subjects": subjects, "shots": shots, "limit": limit}
        given |= {name: value for name, value in optional.items() if value is not None}
        return self._client.jobs.start("lms.evaluate", given)

    def get(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(f"evaluations/{id}/")
        return found

    def of(self, job: Job) -> dict[str, Any]:
        """What an evaluation job found."""
        return self.get(str(output(job, "evaluation")["id"]))

    def list(self, **filters: Any) -> Rows:
        filters.setdefault("project", self._client.project)
        return list(self._client.pages("evaluations/", **filters))


def summary(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The object that `aifs evaluate … --wait --json` prints, and the loss and answers when they were asked for."""
    found = {"evaluation": evaluation["id"], "scores": evaluation["scores"], "mean": evaluation["mean"]}
    return found | {name: evaluation[name] for name in ("loss", "answers") if evaluation.get(name)}
