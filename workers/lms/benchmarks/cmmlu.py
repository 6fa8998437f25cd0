"""CMMLU: 67 subjects in Chinese. Layout: {dev,test}/<subject>.csv.

Source: Li et al. 2023, arXiv:2306.09212.
"""

from workers.lms.benchmarks import Benchmark, Doc, benchmarks, letter, text
from workers.words import marked as _


def doc(row: dict[str, str]) -> Doc:
    choices = {name: text(row, name) for name in "ABCD"}
    return {"Question": text(row, "Question"), **choices, "Answer": letter(text(row, "Answer"))}


def describe(subject: str) -> str:
    return f"以下是关于{subject.replace('_', ' ')}的单项选择题，请直接给出正确答案的选项。\n\n"


benchmarks.add(
    "cmmlu",
    Benchmark(
        label=_("CMMLU"),
        templates="cmmlu/cmmlu_{}.yaml",
        shared="cmmlu/_default_template_yaml",
        columns=(),
        doc=doc,
        test=("test",),
        describe=describe,
    ),
)
