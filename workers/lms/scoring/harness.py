"""Asking lm-evaluation-harness: its templates, its prompts and its metrics, with our batching underneath."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lm_eval.tasks
from datasets import Dataset
from lm_eval import evaluator
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from workers.lms.benchmarks import LETTERS, Benchmark, Doc
from workers.lms.scoring import likelihood

TEMPLATES = Path(lm_eval.tasks.__file__).parent
Progress = Callable[[int, int], None]
"""Called with (answered, of how many)."""


class Scorer(HFLM):  # type: ignore[misc]
    """The harness's own language model class; only how tokens become likelihoods is ours."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, on_progress: Progress) -> None:
        super().__init__(pretrained=model, tokenizer=tokenizer, backend="causal", batch_size=1)
        self.on_progress = on_progress

    def _loglikelihood_tokens(self, requests: Any, disable_tqdm: bool = False, override_bs: int | None = None) -> Any:
        pairs = [(context, continuation) for _texts, context, continuation in requests]
        total = len(pairs)
        return likelihood.score(self.model, pairs, self.max_length, on_batch=lambda done: self.on_progress(done, total))


def suite_task(benchmark: Benchmark, subject: str, splits: dict[str, list[Doc]]) -> dict[str, Any]:
    """Config of one subject: the harness's built-in template over the data that was sent."""
    template = TEMPLATES / benchmark.templates.format(subject)
    if template.is_file():
        config = load_yaml(template)
    else:
        config = {**load_yaml(TEMPLATES / benchmark.shared), "description": benchmark.describe(subject)}
    test = next(split for split in benchmark.test if splits.get(split))
    for name in ("dataset_path", "dataset_name", "tag", "group", "validation_split", "test_split"):
        config.pop(name, None)
    data = {
        name: Dataset.from_list(docs) for name, docs in splits.items() if docs and name in (benchmark.examples, test)
    }
    if benchmark.examples not in data:
        config.pop("fewshot_split", None)
    return {**config, "task": subject, "task_alias": subject, "test_split": test, "custom_dataset": _giving(data)}


def choices_task(subject: str, docs: Sequence[Doc], shots: int, letters: bool) -> dict[str, Any]:
    """Config for questions of a dataset. letters: the choices are listed and the answer is a letter; else each choice
    is an answer of its own, judged by its likelihood per character. The first `shots` questions are examples only."""
    listed = "{% for choice in choices %}\n{{ letters[loop.index0] }}. {{ choice }}{% endfor %}\nAnswer:"
    data = {
        split: Dataset.from_list([{**doc, "letters": list(LETTERS[: len(doc["choices"])])} for doc in rows])
        for split, rows in (("dev", docs[:shots]), ("test", docs[shots:]))
        if rows
    }
    return {
        "task": subject,
        "task_alias": subject,
        "custom_dataset": _giving(data),
        "test_split": "test",
        "fewshot_split": "dev" if shots else None,
        "fewshot_config": {"sampler": "first_n"} if shots else None,
        "output_type": "multiple_choice",
        "doc_to_text": "{{question.strip()}}" + (listed if letters else ""),
        "doc_to_choice": "{{letters}}" if letters else "{{choices}}",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc" if letters else "acc_norm", "aggregation": "mean", "higher_is_better": True}],
    }


def _giving(data: dict[str, Dataset]) -> Callable[..., dict[str, Dataset]]:
    return lambda **more: data


def ask(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: list[dict[str, Any]],
    *,
    shots: int,
    limit: int | None,
    chat: bool,
    on_progress: Progress,
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """({subject: {"acc", "acc_stderr", "n"}}, one record for every question)."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    evaluator.get_git_commit_hash = str  # it would ask git about the run's folder, which says "fatal" in the run's log
    results = evaluator.simple_evaluate(
        Scorer(model, tokenizer, on_progress),
        tasks=tasks,
        num_fewshot=shots,
        limit=limit,
        apply_chat_template=chat,
        fewshot_as_multiturn=chat,
        task_manager=TaskManager(include_defaults=False),  # reading all 14,000 built-in tasks takes 40 s
        log_samples=True,
    )
    scores, records = {}, []
    for task in tasks:
        subject = task["task"]
        metric = task["metric_list"][0]["metric"]
        found = results["results"][subject]
        samples = sorted(results["samples"][subject], key=lambda sample: sample["doc_id"])
        stderr = found.get(f"{metric}_stderr,none")
        scores[subject] = {
            "acc": float(found[f"{metric},none"]),
            "acc_stderr": float(stderr) if isinstance(stderr, int | float) else None,
            "n": len(samples),
        }
        records += [_record(subject, sample, metric) for sample in samples]
    return scores, records


def _record(subject: str, sample: dict[str, Any], metric: str) -> dict[str, Any]:
    """One question as a line of answers.jsonl."""
    chances = [float(response[0]) for response in sample["filtered_resps"]]
    choices = [arguments[1].strip() for arguments in sample["arguments"]]
    weights = chances if metric == "acc" else [c / max(1, len(t)) for c, t in zip(chances, choices, strict=True)]
    doc = {key: value for key, value in sample["doc"].items() if key != "letters"}
    return {
        "subject": subject,
        "number": sample["doc_id"],
        "doc": doc,
        "choices": choices,
        "target": sample["target"],
        "predicted": max(range(len(weights)), key=weights.__getitem__),
        "correct": bool(sample[metric]),
        "loglikelihoods": chances,
    }
