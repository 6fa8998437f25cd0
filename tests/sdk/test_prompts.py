"""Prompts by the SDK."""

from collections.abc import Callable
from pathlib import Path

import pytest

from aifs.sdk import Client, Conflict, InvalidInput, NotFound
from aifs.sdk.prompts import read_file
from tests.factories import House
from tests.prompts.factories import make_deployment

CONTENT = {"messages": [{"role": "user", "content": "Say hello to {{ name }}."}]}


def test_push_test_and_publish(connect: Callable[..., Client], house: House) -> None:
    make_deployment(house)
    client = connect("expert")
    first = client.prompts.push("greeter", CONTENT | {"deployment": "harbour-chat"})
    assert (first["number"], first["variables"][0]["name"]) == (1, "name")
    assert client.prompts.push("greeter", CONTENT | {"deployment": "harbour-chat"})["id"] == first["id"]
    second = client.prompts.push("greeter", CONTENT | {"deployment": "harbour-chat", "settings": {"temperature": 0}})
    assert second["number"] == 2
    assert client.prompts.version("greeter")["id"] == second["id"]
    assert client.prompts.version("greeter:1")["id"] == first["id"]
    assert client.prompts.publish("greeter:1", "hello")["model"] == "prompt/hello"
    assert [service["version_number"] for service in client.prompts.services()] == [1]


def test_what_is_not_there_or_taken(connect: Callable[..., Client], house: House) -> None:
    client = connect()
    with pytest.raises(NotFound):
        client.prompts.version("greeter")
    client.prompts.create("greeter")
    with pytest.raises(Conflict):
        client.prompts.create("greeter")
    with pytest.raises(NotFound):
        client.prompts.version("greeter")
    with pytest.raises(InvalidInput) as caught:
        client.prompts.push("greeter", {"messages": [{"role": "user", "content": "{{"}]})
    assert caught.value.data["errors"][0]["line"] == 1


def test_files(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "messages: [{role: user, content: '你好 {{ name }}'}]\nsettings: {temperature: 0}\n"
    )
    assert read_file(tmp_path / "p.yaml")["messages"][0]["content"] == "你好 {{ name }}"
    (tmp_path / "p.txt").write_text("Plain {{ name }}")
    assert read_file(tmp_path / "p.txt") == {"messages": [{"role": "user", "content": "Plain {{ name }}"}]}
    (tmp_path / "bad.yaml").write_text("messages: [")
    (tmp_path / "none.json").write_text("{}")
    for name, kind in (("bad.yaml", InvalidInput), ("none.json", InvalidInput), ("missing.yaml", NotFound)):
        with pytest.raises(kind):
            read_file(tmp_path / name)
