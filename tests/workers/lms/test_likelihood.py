"""Batching and shared beginnings change the time, never the numbers."""

import random
from pathlib import Path

import pytest

from workers.lms.scoring import likelihood


@pytest.fixture(scope="module")
def model(tiny_model: Path):
    from workers.lms.loading import load_model

    return load_model(tiny_model)


def one_by_one(model, requests, max_length):
    import torch

    scores = []
    for context, continuation in requests:
        ids = (context + continuation)[-(max_length + 1) :]
        with torch.inference_mode():
            logits = model(torch.tensor([ids[:-1]])).logits[0, -len(continuation) :].log_softmax(-1)
        targets = torch.tensor(continuation)
        scores.append((float(logits.gather(1, targets[:, None]).sum()), bool((logits.argmax(-1) == targets).all())))
    return scores


def tokens(source: random.Random, count: int) -> list[int]:
    return [source.randrange(3, 259) for _ in range(count)]


def requests_like(kind: str) -> list[likelihood.Request]:
    source = random.Random(kind)
    examples = tokens(source, 120)
    if kind == "examples":
        contexts = [examples + tokens(source, source.randrange(5, 60)) for _ in range(12)]
        return [(context, [letter]) for context in contexts for letter in (40, 41, 42, 43)]
    if kind == "choices":
        contexts = [tokens(source, source.randrange(30, 80)) for _ in range(8)]
        return [(context, tokens(source, source.randrange(1, 9))) for context in contexts for _ in range(4)]
    if kind == "both":
        contexts = [examples + tokens(source, source.randrange(5, 60)) for _ in range(12)]
        return [(context, tokens(source, source.randrange(1, 9))) for context in contexts for _ in range(4)]
    if kind == "nested":
        return [(examples[:length], examples[length : length + 3]) for length in range(30, 110, 7)]
    if kind == "too long":
        return [(examples * 5, tokens(source, 4)) for _ in range(3)]
    return [(tokens(source, source.randrange(1, 50)), tokens(source, source.randrange(1, 5))) for _ in range(20)]


@pytest.mark.parametrize("kind", ["examples", "choices", "both", "nested", "too long", "nothing in common"])
@pytest.mark.parametrize("share", [True, False])
def test_scores_are_those_of_one_by_one(model, kind, share):
    requests = requests_like(kind)
    found = likelihood.score(model, requests, 512, batch_tokens=300, share=share)
    for ours, theirs in zip(found, one_by_one(model, requests, 512), strict=True):
        assert ours[0] == pytest.approx(theirs[0], abs=1e-4)
        assert ours[1] == theirs[1]


def test_shared_examples_are_read_once():
    rows = likelihood.make_rows(requests_like("examples"), 512, trees=True)
    assert len(rows) == 12  # four letters ask one context
    ((grouped, shared),) = likelihood.group_rows(rows, share=True)
    assert shared >= 120
    assert len(grouped) == 12


@pytest.mark.parametrize(("trees", "count"), [(True, 8), (False, 8 * 4)])
def test_choices_hang_on_their_question(trees, count):
    requests = [(context, [*continuation, 5]) for context, continuation in requests_like("choices")]
    assert len(likelihood.make_rows(requests, 512, trees)) == count


def test_progress_ends_at_the_whole(model):
    told: list[int] = []
    requests = requests_like("choices")
    likelihood.score(model, requests, 512, batch_tokens=100, on_batch=told.append)
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == len(requests)


def test_no_requests(model):
    assert likelihood.score(model, [], 512) == []
