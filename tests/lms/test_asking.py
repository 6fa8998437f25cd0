"""What pages say when the gateway refuses: its English words are for programs."""

import json

import pytest
from django.utils.translation import override

from apps.core.errors import AifsError, InvalidInput, NotFound, Unavailable, translate
from apps.lms.services.asking import REASONS, _check


def refused(status: int, code: str, message: str = "In English.") -> AifsError:
    with pytest.raises(AifsError) as caught:
        _check(status, json.dumps({"error": {"code": code, "message": message}}).encode())
    return caught.value


@pytest.mark.parametrize("code", REASONS)
def test_what_is_known_is_said_in_the_readers_language(code: str) -> None:
    error = refused(503, code)
    with override("zh-hans"):
        words = translate(error.message, error.data)
    assert "English" not in words and REASONS[code] not in words and "%(" not in words
    assert error.code == code


def test_the_status_decides_what_kind_of_error_it_is() -> None:
    assert isinstance(refused(404, "model_not_found"), NotFound)
    assert isinstance(refused(400, "context_length_exceeded"), InvalidInput)
    assert isinstance(refused(502, "instance_died"), Unavailable)


def test_what_is_not_known_is_told_as_it_is() -> None:
    error = refused(400, "no_such_sampler", "top_q is no parameter.")
    assert "top_q is no parameter." in translate(error.message, error.data)
    with pytest.raises(Unavailable) as caught:
        _check(502, b"<html>")
    assert "HTTP 502" in translate(caught.value.message, caught.value.data)
