"""Samples along the way: the model in training answers the same few questions, and the training notices nothing."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from workers.io import RunIO
from workers.lms.answering import greedy_answer
from workers.lms.chat import prompt_ids
from workers.lmt.base import TuningParams
from workers.lmt.data import Question
from workers.words import marked as _

CHARACTERS = 4_000
"""Of a question or an answer, so that an event stays small."""


class Sampler:
    """Asks the questions and tells the answers. What goes wrong ends the asking, never the run."""

    def __init__(
        self, params: TuningParams, io: RunIO, tokenizer: PreTrainedTokenizerBase, questions: Sequence[Question]
    ) -> None:
        self.params, self.io, self.tokenizer = params, io, tokenizer
        self.questions = list(questions)
        self._asked_at: int | None = None

    def ask(self, model: Any, step: int) -> None:
        """Once a step, however often it is called. A stop that comes meanwhile leaves the step without a sample."""
        if not self.questions or step == self._asked_at or self.io.should_stop:
            return
        self._asked_at = step
        try:
            with untouched(model):
                answers = [self._answer(model, question) for question in self.questions]
        except Exception as error:  # a model's own code and a template of its own may raise anything
            self.questions = []
            text = _("The sample questions could not be asked and are left out from here on: %(error)s")
            self.io.log(text, level="warning", error=f"{type(error).__name__}: {error}"[:300])
            return
        if not self.io.should_stop:
            self.io.sample(step, answers)

    def _answer(self, model: Any, question: Question) -> dict[str, str]:
        """No further than the longest row of the training, which the model and the memory have room for."""
        prompt = prompt_ids(self.tokenizer, question.messages)
        tokens = min(self.params.sample_tokens, self.params.max_length - len(prompt))
        if tokens < 1 or self.io.should_stop:
            text = ""
        else:
            text = greedy_answer(model, self.tokenizer, prompt, tokens, lambda: self.io.should_stop)
        texts = {"question": question.text, "expected": question.expected, "answer": text}
        return {name: text[:CHARACTERS] for name, text in texts.items()}


@contextlib.contextmanager
def untouched(model: Any) -> Iterator[None]:
    """In evaluation mode for now; every part's mode and every source of chance are afterwards as they were."""
    modes = [(module, module.training) for module in model.modules()]
    python, numbers = random.getstate(), np.random.get_state()
    model.eval()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        for module, training in modes:
            module.training = training
