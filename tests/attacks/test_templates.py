"""Chat templates come with models: they walk nowhere, end in time, and nobody else waits for them."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import workers.templates
from apps.prompts import templating
from tests.servers import ROOT
from tests.workers import tiny
from workers.errors import AifsError, InvalidInput, LimitReached
from workers.lms.serving import template as chat_template
from workers.lms.serving.chat import ChatTokenizer

TALK = [{"role": "user", "content": "Hello"}]
WALKS = [
    "{{ messages.__class__ }}",
    "{{ messages.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages|attr('__class__') }}",
    "{{ '{0.__class__}'.format(messages) }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__globals__['json'] }}",
    "{{ strftime_now.__closure__ }}",
    "{{ messages[0].content.__init__.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.environ }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__.os.popen('id').read() }}",
    "{% include '/etc/passwd' %}",
    "{% import '/etc/passwd' as secrets %}{{ secrets }}",
    "{% extends '/etc/passwd' %}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'role': 'system'}) }}",
    "{{ ''|tojson(indent=messages.__class__) }}",
    "{{ x.y.z }}",
]
BOMBS = [
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ 'x' * 10 ** 9 }}",
    "{{ 9 ** (9 ** 7) }}",
    "{{ ('x' * 10 ** 7)|indent(10 ** 6) }}",
    "{{ '%099999999d' % 3 }}",
    "{{ strftime_now('%Y' * 10 ** 7) }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ lipsum(n=10 ** 6) }}",
]


def tokenizer(folder: Path, template: str) -> ChatTokenizer:
    tiny.make_tokenizer(folder, template)
    return ChatTokenizer(folder)


@pytest.mark.parametrize("template", WALKS)
def test_walks_are_refused(tmp_path: Path, template: str) -> None:
    try:
        said = tokenizer(tmp_path, template).render(TALK)
    except InvalidInput:
        return
    assert said.strip() in {"", '""'}, said


@pytest.mark.parametrize("template", BOMBS)
def test_loops_and_bombs_are_cut(tmp_path: Path, template: str) -> None:
    started = time.process_time()
    with pytest.raises((LimitReached, InvalidInput)):
        tokenizer(tmp_path, template).render(TALK)
    assert time.process_time() - started < 0.7, "the work was done in a child, not here"
    (tmp_path / "fine").mkdir()
    assert tokenizer(tmp_path / "fine", "{{ messages[0].content }}").render(TALK) == "Hello"


def test_a_conversation_of_odd_texts_is_only_text(tmp_path: Path) -> None:
    plain = tokenizer(tmp_path, "{% for message in messages %}{{ message.content }}{% endfor %}")
    odd = "{{ messages.__class__ }}{% for i in range(9) %}x{% endfor %}\0\u2028<|im_start|>"
    assert plain.render([{"role": "user", "content": odd}]) == odd
    with pytest.raises(AifsError):
        plain.render([{"role": "user", "content": "x" * (2 << 20)}])


def test_others_are_served_while_bombs_go_off(tmp_path: Path) -> None:
    (tmp_path / "bomb").mkdir()
    (tmp_path / "fine").mkdir()
    bomb, fine = tokenizer(tmp_path / "bomb", BOMBS[0]), tokenizer(tmp_path / "fine", "{{ messages[0].content }}")
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            with pytest.raises(LimitReached):
                bomb.render(TALK)

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        assert [fine.render(TALK) for _number in range(20)] == ["Hello"] * 20
    finally:
        stop.set()
        attacker.join()


RENDERS = 300
PACE_S = 0.005
"""Between two renders, so that more of them than one in a hundred meet a bomb."""
QUIET_S = 0.01
"""What a busy machine adds to a render now and then; waiting for a bomb to be cut would take ten times as long."""


def p99(render: Callable[[], object]) -> float:
    """Seconds of a render that one in a hundred exceeds."""
    taken = []
    for _number in range(RENDERS):
        started = time.perf_counter()
        render()
        taken.append(time.perf_counter() - started)
        time.sleep(PACE_S)
    return sorted(taken)[RENDERS * 99 // 100]


def beside_a_bomb(render: Callable[[], object], bomb: Callable[[], object]) -> float:
    """How many times as long others wait, at the 99th percentile, while one bomb after the other goes off."""
    alone, stop, cut = max(p99(render), QUIET_S), threading.Event(), []

    def attack() -> None:
        while not stop.is_set():
            with pytest.raises(LimitReached):
                bomb()
            cut.append(1)

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        ratio = p99(render) / alone
    finally:
        stop.set()
        attacker.join()
    assert len(cut) >= 3, "there was hardly a bomb"
    return ratio


def prompts(_folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    def of(source: str) -> Callable[[], object]:
        return lambda: templating.render([{"role": "user", "content": source}], [], {})

    return of("Hello"), of(BOMBS[0])


def chats(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    for name in ("fine", "bomb"):
        (folder / name).mkdir()
    fine, bomb = tokenizer(folder / "fine", "{{ messages[0].content }}"), tokenizer(folder / "bomb", BOMBS[0])
    return lambda: fine.render(TALK), lambda: bomb.render(TALK)


@pytest.mark.timed
@pytest.mark.parametrize("templates", [prompts, chats])
def test_others_wait_no_longer_beside_a_bomb(
    tmp_path: Path, templates: Callable[[Path], tuple[Callable[[], object], Callable[[], object]]]
) -> None:
    """The best of three comparisons, as other programs on this machine only ever make it worse."""
    render, bomb = templates(tmp_path)
    render()
    assert min(beside_a_bomb(render, bomb) for _try in range(3)) < 2


def test_limits_are_those_that_are_written_down() -> None:
    assert (templating.pool.cpu_s, chat_template.POOL.cpu_s) == (0.1, 0.2)
    assert workers.templates.OUTPUT_BYTES == chat_template.OUTPUT_BYTES == 1 << 20
    text = (ROOT / "docs/reference/security.md").read_text()
    assert "cut after 100 ms of processor time (chat templates: 200 ms" in text and "1 MB" in text
