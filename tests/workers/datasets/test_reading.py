"""Reading in pieces gives what reading whole would, wherever the pieces are cut; what is broken costs only itself."""

import csv
import io
import json
import random
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.datasets.base import REASONS, ROW_CHARS, BadRow, containers, formats
from workers.datasets.containers.delimited import records
from workers.datasets.encodings import CANDIDATES
from workers.datasets.importing import normalised
from workers.datasets.json_values import Values
from workers.datasets.reading import bounded_lines, open_source

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
rows = st.lists(st.dictionaries(text, values, max_size=4), max_size=8)


def pieces(whole: str, size: int) -> list[str]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


@settings(max_examples=150, deadline=None)
@given(rows, st.integers(1, 40), st.sampled_from([None, 0, 2]), st.booleans())
def test_a_list_in_pieces_is_the_list(found: list[dict[str, Any]], size: int, indent: int | None, ascii: bool) -> None:
    whole = json.dumps(found, indent=indent, ensure_ascii=ascii)
    assert list(Values(iter(pieces(whole, size))).rows()) == found


@settings(max_examples=100, deadline=None)
@given(rows.filter(lambda found: len(found) != 1), st.integers(1, 40))
def test_objects_one_after_the_other(found: list[dict[str, Any]], size: int) -> None:
    whole = "\n".join(json.dumps(row, indent=1) for row in found)
    assert list(Values(iter(pieces(whole, size))).rows()) == found


@settings(max_examples=100, deadline=None)
@given(rows.filter(bool), st.integers(1, 40))
def test_an_object_around_the_list(found: list[dict[str, Any]], size: int) -> None:
    whole = json.dumps({"version": 1, "data": found})
    assert list(Values(iter(pieces(whole, size))).rows()) == found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='{}[]",:\\ ab1\n', max_size=200).map(str.encode), st.integers(1, 60))
def test_garbage_never_breaks_the_reader(data: bytes, size: int) -> None:
    whole = data.decode("utf-8", "replace")
    found = list(Values(iter(pieces(whole, size)), limit=100).rows())
    assert all(isinstance(row, dict | BadRow) for row in found)
    assert len(found) <= len(whole) + 1


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9),
    st.sampled_from(['{"a": 1, "b": }', '{"a": 1, "b": [1}', '{"a": 1 "b": 2}', '{"a": NaN}']),
    st.integers(1, 50),
)
def test_one_broken_element_costs_itself(place: int, broken: str, size: int) -> None:
    elements = [json.dumps({"a": number, "b": "x"}) for number in range(9)]
    elements.insert(place, broken)
    found = list(Values(iter(pieces("[" + ",\n".join(elements) + "]", size))).rows())
    assert [number for number, row in enumerate(found) if isinstance(row, BadRow)] == [place]
    assert [row["a"] for row in found if isinstance(row, dict)] == list(range(9))


def test_an_unclosed_string_costs_its_own_element() -> None:
    elements = [json.dumps({"a": number, "b": "x"}) for number in range(5)]
    elements[2] = '{"a": 2, "b": "x}'
    found = list(Values(iter(["[" + ", ".join(elements) + "]"])).rows())
    assert [row["a"] if isinstance(row, dict) else row.reason for row in found] == [0, 1, "bad_json", 3, 4]


def test_a_list_cut_short_keeps_what_was_whole() -> None:
    whole = json.dumps([{"a": number} for number in range(5)])
    found = list(Values(iter([whole[:-4]])).rows())
    assert [row for row in found if isinstance(row, dict)] == [{"a": number} for number in range(4)]
    assert isinstance(found[-1], BadRow)


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(cells, min_size=2, max_size=4), max_size=8), st.sampled_from(",;\t|"))
def test_csv_records_are_those_of_the_csv_module(table: list[list[str]], mark: str) -> None:
    table = [[cell.replace("\r", "") for cell in record] for record in table]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=mark, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    lines = bounded_lines(iter(pieces(buffer.getvalue(), 7)), ROW_CHARS)
    assert list(records(lines, mark)) == table


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='ab",\n', max_size=80))
def test_any_csv_is_read_to_its_end(whole: str) -> None:
    found = list(records(bounded_lines(iter(pieces(whole, 5)), ROW_CHARS), ","))
    assert all(isinstance(record, list | BadRow) for record in found)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=100), st.integers(1, 20))
def test_lines_in_pieces_are_the_lines(whole: str, size: int) -> None:
    found = list(bounded_lines(iter(pieces(whole, size)), 1000))
    expected = whole.split("\n")
    expected = expected if expected[-1] else expected[:-1]
    assert found == [line.removesuffix("\r") for line in expected]


def test_a_large_line_is_never_held() -> None:
    def chunks() -> Any:
        yield "first\n"
        for _number in range(64):
            yield "x" * (1 << 20)
        yield "\nlast\n"

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first, large, last = bounded_lines(chunks(), ROW_CHARS)
    assert (first, last) == ("first", "last")
    assert isinstance(large, BadRow)
    assert large.detail == f"{64 << 20} > {ROW_CHARS}"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB


SENTENCES = {
    "gb18030": "模型训练之前，先把数据清洗干净，去掉重复的内容。",
    "big5": "模型訓練之前，先把資料清洗乾淨，去掉重複的內容。",
    "shift_jis": "モデルを訓練する前に、データをきれいにします。",
}


@pytest.mark.parametrize("encoding", CANDIDATES)
def test_every_encoding_is_told_from_little_text(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(f"{SENTENCES[encoding]}\n".encode(encoding) * 3)
    assert open_source(path).encoding == encoding


def test_an_encoding_that_shows_late_is_found(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(b"only ASCII here\n" * 60_000 + SENTENCES["gb18030"].encode("gb18030"))
    source = open_source(path)
    assert source.encoding == "gb18030"
    assert list(source.rows())[-1] == {"text": SENTENCES["gb18030"]}


def test_a_few_broken_bytes_do_not_change_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(b"plain\n" * 50 + b"caf\xe9 \xff\n" + b"plain\n" * 50)
    source = open_source(path)
    assert source.encoding == "utf-8-sig"
    found = list(source.rows())
    assert [number for number, row in enumerate(found) if isinstance(row, BadRow)] == [50]


def test_no_format_breaks_on_any_row() -> None:
    generator = random.Random(3)
    names = [
        "instruction",
        "output",
        "messages",
        "conversations",
        "chosen",
        "rejected",
        "prompt",
        "question",
        "choices",
        "A",
    ]
    names += ["B", "answer", "text", "id", "history", "from", "index"]
    turns = [{"role": "user", "content": "a"}, {"from": "gpt", "value": "b"}, {"role": 1, "content": None}]
    things: list[Any] = [None, "", "x", 1, 2.5, True, [], {}, ["a"], turns, [turns], turns[0], "<|im_start|>user\nx"]
    for _number in range(3000):
        row = {name: generator.choice(things) for name in generator.sample(names, k=generator.randint(0, 6))}
        for name, plug in formats.items():
            plug.recognises(row)
            normal = normalised(plug.normalise, row)
            assert isinstance(normal, dict) or normal.reason in REASONS, name


def test_every_container_claims_nothing_it_cannot_read(tmp_path: Path) -> None:
    for content in (b"hello", b"[", b"{", b'"', b",,,\n,,,\n", b"\xef\xbb\xbf{}", b"a,b\n1", b"<html>\n"):
        path = tmp_path / "file"
        path.write_bytes(content)
        source = open_source(path)
        assert source.container in containers
        assert all(isinstance(row, dict | BadRow) for row in source.rows())
