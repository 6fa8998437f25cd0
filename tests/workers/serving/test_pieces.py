"""Template, tokens, text, stop strings and the book of prefixes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers import tiny
from workers.errors import InvalidInput
from workers.lms.engines.prefixes import PrefixBook
from workers.lms.serving.chat import ChatTokenizer
from workers.lms.serving.stops import StopFinder

CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "你好，世界 🌍 <|im_end|>"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "Again"},
]
TEMPLATES = [
    tiny.CHATML,
    None,
    "{%- for m in messages %}\n    {%- if loop.first and m.role != 'system' %}{{- 'S' }}{% endif %}\n"
    "    {{- bos_token if bos_token is defined }}[{{ m['role'] }}] {{ m['content'] | trim | tojson }}\n{% endfor %}",
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}"
    "{% endgeneration %}"
    "{% else %}{{ m.content }}{% if loop.last %}{% break %}{% endif %}{% endif %}{% endfor %}",
]


@pytest.mark.parametrize("template", TEMPLATES, ids=["chatml", "none", "blocks", "generation"])
def test_template_renders_as_in_transformers(template: str | None, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from workers.lms.chat import ensure_template

    tiny.make_tokenizer(tmp_path, template)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    ensure_template(theirs)
    ours = ChatTokenizer(tmp_path)
    assert ours.render(CONVERSATION) == theirs.apply_chat_template(
        CONVERSATION, tokenize=False, add_generation_prompt=True
    )
    assert ours.encode_chat(CONVERSATION) == theirs.apply_chat_template(
        CONVERSATION, tokenize=True, add_generation_prompt=True, return_dict=False
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception('only one system message') }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ messages[0].nothing.deeper }}",
    ],
)
def test_hostile_templates_are_refused(template: str, tmp_path: Path) -> None:
    tiny.make_tokenizer(tmp_path, template)
    with pytest.raises(InvalidInput):
        ChatTokenizer(tmp_path).render(CONVERSATION)


def test_broken_template_is_named(tmp_path: Path) -> None:
    tiny.make_tokenizer(tmp_path, "{% for %}")
    with pytest.raises(InvalidInput, match="template is broken"):
        ChatTokenizer(tmp_path)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny.make_tokenizer(folder)
    return ChatTokenizer(folder)


@given(text=st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_text_streams_in_whole_characters(tokenizer: ChatTokenizer, text: str) -> None:
    decoder = tokenizer.decoder()
    pieces = [decoder.push([token]) for token in tokenizer.encode(text)]
    assert "".join(pieces) == text
    assert "�" in text or not any("�" in piece for piece in pieces)


def test_end_tokens_come_from_model_and_tokenizer(tmp_path: Path) -> None:
    tiny.make_tokenizer(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [5, 6]}')
    assert ChatTokenizer(tmp_path).stop_token_ids == {2, 5, 6}


def test_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"tokenizer\.json"):
        ChatTokenizer(tmp_path)


@given(
    text=st.text("abX"),
    stops=st.lists(st.text("abX", min_size=1, max_size=3), max_size=3),
    cuts=st.lists(st.integers(0, 30)),
)
def test_stop_strings_cut_at_the_first_however_it_arrives(text: str, stops: list[str], cuts: list[int]) -> None:
    places = [text.find(stop) for stop in stops if stop in text]
    finder, shown, before = StopFinder(stops), "", 0
    for cut in [*sorted(cuts), len(text)]:
        shown += finder.push(text[before:cut])
        before = max(before, min(cut, len(text)))
        if finder.found:
            break
    if places:
        assert finder.found
        ends = min(text.find(stop) + len(stop) for stop in stops if stop in text)
        assert text.startswith(shown)
        assert len(shown) <= ends
        assert not any(stop in shown for stop in stops)
    else:
        assert shown + finder.flush() == text


def test_prefix_book_follows_blocks_and_forgets_the_oldest() -> None:
    book = PrefixBook(block=4, capacity=3)
    book.add(list(range(10)))
    assert book.known(list(range(10))) == 8
    assert book.known([*range(6), 99, 99, 99]) == 4
    assert book.known(list(range(8))) == 4  # the last token is always computed
    assert book.known([99, *range(9)]) == 0
    book.add([50, 51, 52, 53, 54, 55, 56, 57])
    assert book.known([50, 51, 52, 53, 54, 55, 56, 57, 58]) == 8
    assert book.known(list(range(10))) in {0, 4}
