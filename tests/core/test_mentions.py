"""Who a text names, and into which pieces a page cuts it."""

import pytest

from apps.core import mentions
from apps.core.ids import uuid7
from apps.core.mentions import Part
from apps.core.models import User


def person(name, email="x@example.com"):
    return User(id=uuid7(), name=name, email=email)


ADA = person("Ada Lovelace", "ada@example.com")
ADA_TOO = person("Ada", "ada.too@example.com")
WANG = person("王芳", "wang@example.cn")
LONGER = person("王芳芳", "fang@example.cn")
STRAUSS = person("Jo Strauß", "jo@example.de")
NAMELESS = person("", "nameless@example.com")
EVERYBODY = [ADA, ADA_TOO, WANG, LONGER, STRAUSS, NAMELESS]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@Ada Lovelace, look", [("@Ada Lovelace", ADA)]),
        ("@ada: look", [("@ada", ADA_TOO)]),
        ("(@ADA)", [("@ADA", ADA_TOO)]),
        ("@Adam is nobody", []),
        ("@ada@example.com!", [("@ada@example.com", ADA)]),
        ("write to ada@Ada or a.b@ada", []),
        ("请@王芳看一下", [("@王芳", WANG)]),
        ("@王芳芳你好", [("@王芳芳", LONGER)]),
        ("@ada @ada", [("@ada", ADA_TOO), ("@ada", ADA_TOO)]),
        ("@nameless@example.com", [("@nameless@example.com", NAMELESS)]),
        ("@jo strauß: see", [("@jo strauß", STRAUSS)]),
        ("@Jo Strau", []),
        ("@ @@ @", []),
        ("@eve@example.com", []),
        ("", []),
    ],
)
def test_names_and_addresses(text, named):
    found = [(text[start:end], who) for start, end, who in mentions.find(text, EVERYBODY)]
    assert found == [(said, who.pk) for said, who in named]


def test_all_who_bear_the_name_are_meant():
    twin = person("Ada", "twin@example.com")
    assert {who for _start, _end, who in mentions.find("@ada", [ADA_TOO, twin])} == {ADA_TOO.pk, twin.pk}


def test_a_page_gets_text_links_and_mentions():
    text = "See https://a.example/x?y=1. @ada (http://b.example/)"
    assert mentions.parts(text, mentions.find(text, EVERYBODY)) == [
        Part("text", "See "), Part("link", "https://a.example/x?y=1"), Part("text", ". "), Part("mention", "@ada"),
        Part("text", " ("), Part("link", "http://b.example/"), Part("text", ")"),
    ]  # fmt: skip
    assert "".join(part.text for part in mentions.parts(text, mentions.find(text, EVERYBODY))) == text


@pytest.mark.parametrize("text", ["javascript:alert(1)", "data:text/html,x", "ftp://a/", "//a.example"])
def test_only_addresses_of_the_web_are_links(text):
    assert mentions.parts(text, []) == [Part("text", text)]


def test_many_signs_take_no_time():
    text = "@" * 4000 + "http://" * 500
    assert "".join(part.text for part in mentions.parts(text, mentions.find(text, EVERYBODY))) == text
