"""MMLU: 57 subjects in English. Layout: {dev,val,test}/<subject>_<split>.csv without a header.

Source: Hendrycks et al. 2020, arXiv:2009.03300.
"""

from workers.lms.benchmarks import Benchmark, Doc, benchmarks, letter, text
from workers.words import marked as _


def doc(row: dict[str, str]) -> Doc:
    return {
        "question": text(row, "question"),
        "choices": [text(row, name) for name in "ABCD"],
        "answer": "ABCD".index(letter(text(row, "answer"))),
    }


def describe(subject: str) -> str:
    words = subject.replace("_", " ")
    return f"The following are multiple choice questions (with answers) about {words}.\n\n"


benchmarks.add(
    "mmlu",
    Benchmark(
        label=_("MMLU"),
        templates="mmlu/default/mmlu_{}.yaml",
        shared="mmlu/default/_default_template_yaml",
        columns=("question", "A", "B", "C", "D", "answer"),
        doc=doc,
        test=("test", "val"),
        describe=describe,
    ),
)
