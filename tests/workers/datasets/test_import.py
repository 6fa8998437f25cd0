"""`datasets.import` on good, bad and hostile files: every row is kept or in the quarantine with number and reason."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from tests.workers.datasets.running import Outcome, run_import

GOOD = {"instruction": "What is AIFS?", "input": "", "output": "A house for models."}


def lines(*rows: Any) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows) + b"\n"


def bad_rows(outcome: Outcome) -> list[tuple[int, str]]:
    assert outcome.status == 0, outcome.last("error")
    meta = outcome.meta
    assert meta["rows_in"] == meta["rows"] + meta["quarantined"]
    assert meta["rows"] == len(outcome.rows())
    found = [(row["row"], row["reason"]) for row in outcome.rows("quarantine")]
    assert len(found) == meta["quarantined"] == sum(outcome.report["reasons"].values())
    return found


def test_alpaca_becomes_messages(tmp_path: Path) -> None:
    outcome = run_import(tmp_path, lines(GOOD, {**GOOD, "input": "In a word.", "topic": "names", "id": 7}))
    assert bad_rows(outcome) == []
    first, second = outcome.rows()
    assert first["messages"] == [
        {"role": "user", "content": "What is AIFS?"},
        {"role": "assistant", "content": "A house for models."},
    ]
    assert second["messages"][0]["content"] == "What is AIFS?\n\nIn a word."
    assert second["id"] == "7"
    assert json.loads(second["extra"]) == {"topic": "names"}
    assert outcome.meta["format"] == "messages"
    assert outcome.meta["source_format"] == "alpaca"
    assert outcome.meta["kind"] == "instruction"


POISON = {
    "bad_json": b'{"instruction": "a", "output": }',
    "not_a_number": b'{"instruction": "a", "output": "b", "score": NaN}',
    "bad_encoding": b'{"instruction": "a\xff\xfe", "output": "b"}',
    "too_deep": b'{"instruction": "a", "output": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "row_too_large": b'{"instruction": "a", "output": "' + b"x" * (50 << 20) + b'"}',
    "not_an_object": b"[1, 2]",
    "missing_field": b'{"instruction": "a"}',
    "empty_field": b'{"instruction": "a", "output": " "}',
    "wrong_type": b'{"instruction": "a", "output": ["b"]}',
    "bad_text": b'{"instruction": "a", "output": "\\ud83d"}',
}


@pytest.mark.parametrize("shape", ["jsonl", "json"])
def test_poisoned_rows_are_quarantined_and_the_rest_is_kept(tmp_path: Path, shape: str) -> None:
    rows = [json.dumps(GOOD).encode()]
    for poison in POISON.values():
        rows += [poison, json.dumps(GOOD).encode()]
    content = b"\n".join(rows) if shape == "jsonl" else b"[\n" + b",\n".join(rows) + b"\n]"
    outcome = run_import(tmp_path, content, f"rows.{shape}")
    assert bad_rows(outcome) == [(2 * index + 2, reason) for index, reason in enumerate(POISON)]
    assert outcome.meta["rows"] == len(POISON) + 1
    assert all(len(row["raw"]) <= 2000 for row in outcome.rows("quarantine"))


def test_infinity_hidden_in_an_exponent(tmp_path: Path) -> None:
    outcome = run_import(tmp_path, lines(GOOD, b'{"instruction": "a", "output": "b", "score": 1e999}'))
    assert bad_rows(outcome) == [(2, "not_a_number")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "big5"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_are_told(tmp_path: Path, encoding: str, packed: bool) -> None:
    row = {"instruction": "請問這個平台的資料放在哪裡?", "output": "資料放在自己的機器上, 不會送到外面去。"}
    text = "\n".join(json.dumps(row, ensure_ascii=False) for _number in range(30))
    content = text.encode(encoding)
    name = "rows.jsonl"
    if packed:
        content, name = gzip.compress(content), "rows.jsonl.gz"
    outcome = run_import(tmp_path, content, name)
    assert bad_rows(outcome) == []
    assert outcome.rows()[0]["messages"][0]["content"] == row["instruction"]


def test_simplified_chinese_csv_from_a_spreadsheet(tmp_path: Path) -> None:
    text = '问题,答案\r\n什么是数据集？,一组训练用的样本。\r\n"换行\n的问题","含""引号""的答案"\r\n'
    outcome = run_import(tmp_path, text.encode("gb18030"), "问答.csv")
    assert bad_rows(outcome) == []
    assert [row["messages"][1]["content"] for row in outcome.rows()] == ["一组训练用的样本。", '含"引号"的答案']
    assert outcome.report["source"]["encoding"] == "gb18030"


def test_a_csv_quote_that_never_closes_costs_one_row(tmp_path: Path) -> None:
    text = 'prompt,response\n"a,b\nc,d\ne,f\ntoo,many,fields\ng,h\n'
    outcome = run_import(tmp_path, text.encode(), "rows.csv")
    assert bad_rows(outcome) == [(1, "unclosed_quote"), (4, "wrong_fields")]
    assert outcome.meta["rows"] == 3


@pytest.mark.parametrize(
    ("content", "filename", "code"),
    [
        (b"", "rows.jsonl", "empty_file"),
        (b" \n\n", "rows.csv", "empty_file"),
        (gzip.compress(b""), "rows.jsonl.gz", "empty_file"),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00\x00" * 50, "rows.bin", "unknown_file_type"),
        (b"question,answer\n", "rows.csv", "no_rows"),
        (b"{not json\n", "rows.jsonl", "no_usable_rows"),
        (b'{"instruction": "a", "output": "' + b"x" * (50 << 20) + b'"}', "rows.json", "no_usable_rows"),
        (gzip.compress(lines(GOOD) * 5000)[:-40], "rows.jsonl.gz", "invalid_input"),
    ],
)
def test_hopeless_files_get_one_clear_error(tmp_path: Path, content: bytes, filename: str, code: str) -> None:
    outcome = run_import(tmp_path, content, filename)
    assert outcome.status == 1
    error = outcome.last("error")
    assert error["code"] == code
    assert filename in (error["message"] % error["data"])
    assert len(json.dumps(error)) < 8000
    assert not [event for event in outcome.events if event["type"] == "artefact"]


def test_columns_that_fit_no_format_are_named_with_what_is_needed(tmp_path: Path) -> None:
    content = lines({"foo": 1, "bar": "x"}, {"foo": 2, "bar": "y"})
    error = run_import(tmp_path / "a", content, kind="instruction").last("error")
    assert error["code"] == "fits_no_format"
    text = error["message"] % error["data"]
    assert "foo, bar" in text
    assert "instruction, input (optional), output" in text
    told = run_import(tmp_path / "b", content, format="alpaca").last("error")
    assert told["code"] == "no_usable_rows"
    assert "Row 1" in (told["message"] % told["data"])
    table = run_import(tmp_path / "c", content)
    assert table.meta["format"] == "table"
    assert table.rows() == [{"foo": 1, "bar": "x"}, {"foo": 2, "bar": "y"}]


def test_a_wrong_encoding_chosen_by_hand(tmp_path: Path) -> None:
    row = json.dumps({"instruction": "你好吗", "output": "很好"}, ensure_ascii=False).encode("gb18030")
    outcome = run_import(tmp_path, row, encoding="utf-8")
    error = outcome.last("error")
    assert error["code"] == "no_usable_rows"
    assert error["data"]["reasons"] == {"bad_encoding": 1}
    assert run_import(tmp_path / "b", row, encoding="klingon").last("error")["code"] == "unknown_encoding"


def test_conversations_are_checked_turn_by_turn(tmp_path: Path) -> None:
    def said(*turns: tuple[str, Any]) -> dict[str, Any]:
        return {"conversations": [{"from": role, "value": text} for role, text in turns]}

    rows = [
        said(("system", "Be brief."), ("human", "Hi"), ("gpt", "Hello")),
        said(("human", "Hi"), ("martian", "Gnorts")),
        said(("human", "Hi")),
        said(("human", "Hi"), ("gpt", None)),
        {"conversations": []},
        said(("human", "Add"), ("function_call", "{}"), ("observation", "3"), ("gpt", "It is 3")),
    ]
    outcome = run_import(tmp_path, lines(*rows))
    assert bad_rows(outcome) == [(2, "bad_role"), (3, "no_answer"), (4, "wrong_type"), (5, "empty_field")]
    roles = [[turn["role"] for turn in row["messages"]] for row in outcome.rows()]
    assert roles == [["system", "user", "assistant"], ["user", "assistant", "tool", "assistant"]]


def test_openai_messages_with_parts_and_tool_calls(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    rows = [
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                {"role": "assistant", "content": "Yo"},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": "Add"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
                {"role": "assistant", "content": "?"},
            ]
        },
    ]
    outcome = run_import(tmp_path, lines(*rows))
    assert bad_rows(outcome) == [(3, "wrong_type")]
    assert outcome.rows()[0]["messages"][0]["content"] == "Hi"
    assert json.loads(outcome.rows()[1]["messages"][1]["content"]) == [call]


def test_multiple_choice_in_every_usual_layout(tmp_path: Path) -> None:
    plain = {"question": "2+2?", "A": "3", "B": "4", "C": "5", "D": "6"}
    rows = [
        {**plain, "answer": "B"},
        {**plain, "answer": "b"},
        {**plain, "answer": "E"},
        {"question": "2+2?", "choices": ["3", "4"], "answer": 1, "subject": "sums"},
        {"question": "2+2?", "choices": ["3", "4"], "answer": "4"},
        {"question": "2+2?", "choices": ["3", "4"], "answer": 2},
    ]
    outcome = run_import(tmp_path, lines(*rows))
    assert bad_rows(outcome) == [(3, "bad_answer"), (6, "bad_answer")]
    assert [row["answer"] for row in outcome.rows()] == [1, 1, 1, 1]
    assert outcome.rows()[2]["subject"] == "sums"


def test_a_table_keeps_its_types(tmp_path: Path) -> None:
    text = "name,age,zip,score,note\nAda,36,00501,1.5,x\nBob,,12345,NA,\nEve,7,99999,2,y\n"
    outcome = run_import(tmp_path, text.encode(), "people.csv")
    assert bad_rows(outcome) == []
    assert outcome.rows()[0] == {"name": "Ada", "age": 36, "zip": "00501", "score": 1.5, "note": "x"}
    assert outcome.rows()[1] == {"name": "Bob", "age": None, "zip": "12345", "score": None, "note": ""}
    assert outcome.report["schema"] == {
        "name": "string",
        "age": "int64",
        "zip": "string",
        "score": "double",
        "note": "string",
    }


def test_parquet_in(tmp_path: Path) -> None:
    first = run_import(tmp_path / "a", lines(GOOD, GOOD))
    again = run_import(tmp_path / "b", first.directory / "outputs/dataset/data.parquet", "rows.parquet")
    assert [row["messages"] for row in again.rows()] == [row["messages"] for row in first.rows()]
    broken = run_import(tmp_path / "c", b"PAR1 and nothing else", "rows.parquet")
    assert "cannot be read" in broken.last("error")["message"]


REAL = {
    "03_instruction/llamafactory/alpaca_zh_demo.json": ("alpaca", 700),
    "03_instruction/llamafactory/glaive_toolcall_en_demo.json": ("sharegpt", 210),
    "03_instruction/self_instruct_t0/ag_news_classify.jsonl": ("pairs", 200),
    "04_preference/llamafactory/dpo_zh_demo.json": ("preference", 210),
    "04_preference/llamafactory/v1_dpo_demo.jsonl": ("preference", 10),
    "06_dirty/c4_demo.jsonl": ("text", 300),
    "01_mmlu/test/management_test.csv": ("choices", 103),
    "02_cmmlu/dev/agronomy.csv": ("choices", 5),
}


@pytest.mark.parametrize("path", REAL)
def test_real_files(shared_data: Path, tmp_path: Path, path: str) -> None:
    source = shared_data / path
    outcome = run_import(tmp_path, source, source.name)
    assert bad_rows(outcome) == []
    assert (outcome.meta["source_format"], outcome.meta["rows"]) == REAL[path]


def test_long_rows_are_written_a_few_at_a_time(tmp_path: Path) -> None:
    """A thousand of the longest rows would be gigabytes at once."""
    outcome = run_import(tmp_path, lines(*({"text": f"{number} " + "word " * 200_000} for number in range(40))))
    assert bad_rows(outcome) == []
    stored = parquet.ParquetFile(outcome.directory / "outputs/dataset/data.parquet").metadata
    groups = [stored.row_group(index).num_rows for index in range(stored.num_row_groups)]
    assert sum(groups) == 40
    assert max(groups) <= 17
