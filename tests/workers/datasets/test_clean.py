"""`datasets.clean`: what is dropped is counted, explained and kept aside; the same recipe gives the same rows."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.workers.datasets.running import Outcome, run_clean, run_import
from workers.datasets.base import Drop, steps
from workers.datasets.recipes import Run, default_recipe
from workers.datasets.steps.near_duplicates import numbers_in, shingles
from workers.datasets.trial import trial
from workers.errors import InvalidInput


def text_file(*texts: str) -> bytes:
    return "\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts).encode()


def clean_texts(tmp_path: Path, texts: list[str], recipe: list[dict[str, Any]] | None = None) -> Outcome:
    return run_clean(tmp_path / "clean", run_import(tmp_path / "import", text_file(*texts)), recipe)


SENTENCE = "The gateway holds routes, key hashes and limits in memory and keeps serving when the database is away."


def test_the_default_recipe_drops_what_is_planted(tmp_path: Path) -> None:
    texts = [
        SENTENCE,
        SENTENCE + "\u200b  ",
        SENTENCE.replace("away", "gone"),
        "ＡＩＦＳ１２３ runs on your own hardware，对吗？",
        "no",
        "A different sentence about datasets, their versions and the quarantine.",
    ]
    outcome = clean_texts(tmp_path, texts)
    meta = outcome.meta
    assert outcome.status == 0
    assert (meta["rows_in"], meta["rows"], meta["dropped"]) == (6, 3, 3)
    assert [row["text"] for row in outcome.rows()][1] == "AIFS123 runs on your own hardware，对吗？"
    dropped = {row["row"]: (row["step"], row["reason"], row["detail"]) for row in outcome.rows("dropped")}
    assert dropped[2] == ("exact_duplicates", "duplicate", "1")
    assert dropped[3][:2] == ("near_duplicates", "near_duplicate")
    assert dropped[3][2].startswith("1, 0.")
    assert dropped[5] == ("length_filter", "too_short", "2")
    tallies = outcome.report["steps"]
    assert [tally["rows_in"] for tally in tallies] == [6, 6, 6, 5, 4]
    assert all(tally["rows_in"] == tally["kept"] + sum(tally["dropped"].values()) for tally in tallies)
    sample = tallies[0]["samples"][0]
    assert sample["before"] != sample["after"]
    assert json.loads(outcome.rows("dropped")[0]["data"])["text"].endswith("  ")


def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    generator = random.Random(1)
    words = ["data", "model", "train", "serve", "label", "prompt", "node", "lease", "row", "text"]
    texts = [" ".join(generator.choices(words, k=12)) for _number in range(300)]
    texts += texts[:20]
    first, second = (clean_texts(tmp_path / name, texts) for name in ("a", "b"))
    assert first.meta["dropped"] >= 20
    for name in ("data", "dropped"):
        one, other = (run.directory / f"outputs/dataset/{name}.parquet" for run in (first, second))
        assert one.read_bytes() == other.read_bytes()


def test_numbers_keep_rows_apart(tmp_path: Path) -> None:
    texts = [
        f"Invoice {1000 + number} of the third quarter, amount due within thirty days, payable by transfer to our bank."
        for number in range(50)
    ]
    assert clean_texts(tmp_path / "a", texts).meta["dropped"] == 0
    loose = [{"step": "near_duplicates", "keep_numbers": False, "threshold": 0.6}]
    assert clean_texts(tmp_path / "b", texts, loose).meta["dropped"] == 49
    assert numbers_in("See https://t.co/a1b2 on page 7") == ("7",)


def test_a_recipe_that_drops_everything_is_an_error(tmp_path: Path) -> None:
    outcome = clean_texts(tmp_path, ["short text", "other text"], [{"step": "length_filter", "min_characters": 999}])
    error = outcome.last("error")
    assert outcome.status == 1
    assert error["data"] == {"dropped": 2, "step": "length_filter"}


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ([], "at least one step"),
        ([{"step": "polish"}], "known are"),
        ([{"step": "length_filter", "min_characters": -1}], "1, length_filter, min_characters"),
        ([{"step": "html"}, {"step": "near_duplicates", "colour": "red"}], "2, near_duplicates, colour"),
        ([{"step": "length_filter", "min_characters": 9, "max_characters": 3}], "lower bound"),
    ],
)
def test_wrong_recipes_name_the_step_and_option(recipe: list[dict[str, Any]], named: str) -> None:
    from pydantic import ValidationError

    from workers.datasets.clean import Params

    with pytest.raises(ValidationError, match=named):
        Params(dataset="d", steps=recipe)


def one_text(step: str, text: str, **options: Any) -> str | Drop:
    result = next(Run([{"step": step, **options}], "text").over([{"id": None, "text": text, "extra": None}]))
    return result.drop or result.row["text"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p>Tea &amp; cake</p><br/>for <b>two</b>", "\nTea & cake\n\nfor two"),
        ("<script>alert(1)</script>ok", "ok"),
        ("List<int> a < b && c > d <image>", "List<int> a < b && c > d <image>"),
    ],
)
def test_html(before: str, after: str) -> None:
    assert one_text("html", before) == after


def test_personal_data_is_masked_only_where_check_digits_agree() -> None:
    text = "身份证11010519491231002X，电话13800138000，卡号6222021234567890127，邮箱 a.b@c.cn"
    masked = one_text("mask_pii", text)
    assert masked == "身份证[ID_CARD]，电话[MOBILE]，卡号6222021234567890127，邮箱 [EMAIL]"
    assert one_text("mask_pii", "4111 1111 1111 1111") == "[BANK_CARD]"
    assert one_text("mask_pii", "110105194912310021") == "110105194912310021"


def test_conversations_are_cleaned_turn_by_turn(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Ｈｉ ", "output": "Hello there, friend\u200b"},
        {"instruction": "Again", "output": "\u200b"},
    ]
    source = run_import(tmp_path / "a", "\n".join(map(json.dumps, rows)).encode())
    outcome = run_clean(tmp_path / "b", source)
    assert outcome.rows()[0]["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello there, friend"},
    ]
    assert outcome.report["steps"][1]["dropped"] == {"empty": 1}


def test_rows_of_a_table_differ_by_their_numbers(tmp_path: Path) -> None:
    text = "id,city,people\n1,Ningbo,9\n2,Ningbo,9\n2,Ningbo,10\n2,Ningbo,9\n"
    outcome = run_clean(tmp_path / "b", run_import(tmp_path / "a", text.encode(), "cities.csv"))
    assert [(row["row"], row["detail"]) for row in outcome.rows("dropped")] == [(4, "2")]


def test_every_step_runs_on_every_form_with_its_defaults() -> None:
    turns = [{"role": "user", "content": "Hello ＡＩ"}, {"role": "assistant", "content": "Hello to you, too"}]
    answer = [{"role": "assistant", "content": "Hello"}]
    rows: dict[str, dict[str, Any]] = {
        "messages": {"id": None, "messages": turns, "extra": None},
        "text": {"id": None, "text": "Some text", "extra": None},
        "preference": {"id": None, "prompt": turns[:1], "chosen": turns[1:], "rejected": answer, "extra": None},
        "choices": {"question": "Two?", "choices": ["1", "2"], "answer": 1, "subject": "sums"},
        "table": {"name": "Ada", "age": 36},
    }
    for name, step in steps.items():
        for form, row in rows.items():
            run = Run([{"step": name}], form)
            (result,) = run.over([row])
            assert result.row is None or result.row.keys() == row.keys()
            assert set(run.tallies[0].dropped) <= set(step.reasons)


def test_a_trial_shows_counts_and_rows(tmp_path: Path) -> None:
    source = run_import(tmp_path, text_file(SENTENCE, SENTENCE, "ＡＢＣ are letters"))
    payload = {
        "path": str(source.directory / "outputs/dataset/data.parquet"),
        "form": "text",
        "steps": default_recipe(),
    }
    found = trial(payload)
    assert (found["rows_in"], found["rows"]) == (3, 2)
    assert [tally["step"] for tally in found["steps"]] == [options["step"] for options in default_recipe()]
    assert found["rows_shown"][0]["reason"] == "duplicate"
    assert found["rows_shown"][1]["after"] == [{"label": "text", "text": "ABC are letters"}]
    with pytest.raises(InvalidInput):
        trial({**payload, "steps": [{"step": "length_filter", "min_characters": "many"}]})


def edited(text: str, generator: random.Random) -> str:
    """The text with some of its words replaced, from none to a fifth."""
    words = text.split()
    for place in generator.sample(range(len(words)), k=int(len(words) * generator.random() * 0.2)):
        words[place] = f"w{generator.randrange(10**6)}"
    return " ".join(words)


def test_near_duplicates_agree_with_exact_likeness_and_datasketch(shared_data: Path) -> None:
    """Oracles on real pages and edited copies of them: the exact share of common groups, and datasketch's MinHash."""
    from datasketch import MinHash

    generator = random.Random(7)
    pages = [json.loads(line)["text"][:2000] for line in (shared_data / "06_dirty/c4_demo.jsonl").open()]
    copies = [edited(page, generator) for page in pages]
    threshold = 0.8
    run = Run([{"step": "near_duplicates", "threshold": threshold, "keep_numbers": False}], "text")
    rows = ({"id": None, "text": text, "extra": None} for text in pages + copies)
    dropped = {result.number - 1 - len(pages) for result in run.over(rows) if result.drop}
    assert min(dropped) >= 0
    agreed = 0
    for number, (page, copy) in enumerate(zip(pages, copies, strict=True)):
        one, other = set(shingles(page, 3)), set(shingles(copy, 3))
        exact = len(one & other) / len(one | other)
        assert exact < threshold + 0.12 or number in dropped
        assert exact > threshold - 0.12 or number not in dropped
        sketches = [MinHash(num_perm=128, seed=1) for _side in range(2)]
        for sketch, group in zip(sketches, (one, other), strict=True):
            sketch.update_batch([words.encode() for words in group])
        agreed += (sketches[0].jaccard(sketches[1]) >= threshold) == (number in dropped)
    assert 50 < len(dropped) < 250
    assert agreed >= len(pages) * 0.93
