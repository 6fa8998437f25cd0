import json

from django.urls import reverse

from tests.factories import House
from tests.prompts.factories import make_version


def check(house: House, part: str, source: str, variables: list[dict] | None = None, **values: str) -> bytes:
    make_version(house)
    url = reverse("prompts:prompt_check", args=["harbour", "greeter"])
    body = {
        "messages": json.dumps([{"role": "user", "content": source}]),
        "variables": json.dumps(variables or []),
        **{f"value-{name}": value for name, value in values.items()},
    }
    answer = house.client(part).post(url, body)
    return answer.content if answer.status_code == 200 else str(answer.status_code).encode()


def test_gives_a_field_for_every_variable_and_keeps_what_was_typed(house: House) -> None:
    variables = [
        {"name": "a", "type": "long_text", "label": "First"},
        {"name": "b", "type": "choice", "choices": ["x", "y"]},
        {"name": "c", "type": "boolean", "required": False},
    ]
    page = check(house, "expert", "{{ a }}{{ b }}{{ c }}", variables, a="typed before").decode()
    for piece in ('name="value-a"', "typed before", "First", "<option value=", 'type="checkbox"'):
        assert piece in page


def test_says_what_is_wrong_with_the_template(house: House) -> None:
    assert b"line 1" in check(house, "expert", "{{ a")
    assert b"no declared variable" in check(house, "expert", "{{ a }}{{ b }}", [{"name": "a"}])


def test_a_template_that_never_ends_does_not_hold_the_page(house: House) -> None:
    page = check(house, "expert", "{{ " + "(" * 9000 + ")" * 9000 + " }}")
    assert b"stopped" in page or b"mistake" in page


def test_viewers_may_not_and_strangers_see_nothing(house: House) -> None:
    assert check(house, "viewer", "x") == b"403"
    assert check(house, "stranger", "x") == b"404"


def test_what_is_still_empty_is_no_mistake_and_what_is_wrong_is(house: House) -> None:
    variables = [{"name": "a"}, {"name": "n", "type": "number"}]
    page = check(house, "expert", "{{ a }}{{ n }}", variables, a="", n="many").decode()
    assert page.count('aria-invalid="true"') == 1 and "Enter a number" in page
