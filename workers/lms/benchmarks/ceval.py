"""C-Eval: 52 subjects in Chinese. Layout: {dev,val}/<subject>_<split>.csv; the published test split has no answers.

Source: Huang et al. 2023, arXiv:2305.08322.
"""

from workers.lms.benchmarks import Benchmark, Doc, benchmarks, letter, text
from workers.words import marked as _


def doc(row: dict[str, str]) -> Doc:
    choices = {name: text(row, name) for name in "ABCD"}
    return {"question": text(row, "question"), **choices, "answer": letter(text(row, "answer"))}


def describe(subject: str) -> str:
    return f"以下是中国关于{subject.replace('_', ' ')}的单项选择题，请选出其中的正确答案。\n\n"


benchmarks.add(
    "ceval",
    Benchmark(
        label=_("C-Eval"),
        templates="ceval/ceval-valid_{}.yaml",
        shared="ceval/_default_ceval_yaml",
        columns=(),
        doc=doc,
        test=("val",),
        describe=describe,
    ),
)
