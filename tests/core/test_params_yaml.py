"""A form as YAML and back: nothing typed is lost, and what is wrong names its line."""

import pytest
from django.urls import reverse

from apps.core.paramforms import ParamsForm, as_yaml
from tests.factories import make_house
from workers.kinds import kinds

pytestmark = pytest.mark.django_db
KIND = "gpucloud.check"
NAMES = [
    "steps",
    "seconds_per_step",
    "checkpoint_every",
    "memory_mib",
    "report",
    "fault",
    "fault_at_step",
    "fault_once",
]


@pytest.fixture
def house():
    return make_house()


def url(house, kind=KIND):
    return reverse("core:params_yaml", args=[house.project.slug, kind])


def ask(house, part="expert", names=NAMES, **fields):
    return house.client(part).post(url(house), {"names": names, "report": "on", "steps": "20"} | fields)


def read(house, text, **fields):
    answer = ask(house, yaml=text, **fields)
    assert answer.status_code == 200
    return answer.json()["controls"], answer.json()["problems"]


def test_what_stands_in_the_form_is_written_also_when_it_is_wrong(house):
    text = ask(house, steps="many", fault="crash").json()["yaml"]
    assert as_yaml.parse(text)[0] == {"steps": "many", "report": True, "fault": "crash", "fault_once": False}
    assert "# Time per step (s)" in text


@pytest.mark.parametrize("kind", sorted(kinds.names()))
def test_every_kind_goes_there_and_back(house, kind):
    """The defaults of every kind of job, written and read, are the defaults again."""
    form = ParamsForm(kind, house.project, {}, actor=house.actor("owner"))
    names = list(form.fields)
    data = {}
    for name, field in form.fields.items():
        text = as_yaml.default_text(field, form.schemas[name].get("default"))
        if text != "false" or not hasattr(field.widget, "check_test"):
            data[name] = text
    bound = ParamsForm(kind, house.project, data, actor=house.actor("owner"))
    controls, problems = as_yaml.read(bound, names, as_yaml.write(bound, names))
    needed = {name for name, field in bound.fields.items() if field.required}
    assert {row["field"] for row in problems} <= needed | {""}  # some kinds need one of several
    assert {name: controls[name] for name in names if name not in needed} == {
        name: as_yaml.default_text(form.fields[name], form.schemas[name].get("default"))
        for name in names
        if name not in needed
    }


def test_reading_sets_controls_and_leaves_out_to_the_default(house):
    controls, problems = read(house, "steps: 7\nreport: false\nseconds_per_step: 1e-3\nfault: none\n", memory_mib="9")
    assert problems == []
    assert controls["steps"] == "7" and controls["report"] == "false" and controls["seconds_per_step"] == "0.001"
    assert controls["memory_mib"] == "0"


def test_what_is_wrong_names_its_line(house):
    _controls, problems = read(house, "# a comment\nsteps: -1\n\nfault: melt\nstpes: 3\n")
    assert {(row["line"], row["field"]) for row in problems} == {(2, "steps"), (4, "fault"), (5, "stpes")}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("steps: [1, 2", 1), ("steps: 1\nsteps: 2", 2), ("- a\n- b", 1), ("a: &x 1\nb: *x", 1), ("1: 2", 1),
        ("steps: !!python/object:os.system x", 1), ("steps:\n\t- 1", 2), ("just words", 1), ("? [a]\n: b", 1),
        ("{" * 3000, None), ("x" * 70_000, None),
    ],
)  # fmt: skip
def test_what_is_no_mapping_is_refused_with_its_line(house, text, line):
    controls, problems = read(house, text)
    assert controls == {} and len(problems) == 1
    assert line is None or problems[0]["line"] == line


def test_no_word_of_yaml_becomes_what_nobody_wrote(house):
    given, _lines = as_yaml.parse("a: no\nb: on\nc: 2026-01-01\nd: 1e-3\ne: 0x1F\nf: ~\ng: true\nh: 1_000.5")
    assert given == {"a": "no", "b": "on", "c": "2026-01-01", "d": 0.001, "e": 31, "f": None, "g": True, "h": "1_000.5"}


def test_only_parameters_of_this_form_are_written_and_read(house):
    assert as_yaml.parse(ask(house, names=["steps"]).json()["yaml"])[0] == {"steps": 20}
    controls, problems = read(house, "steps: 3\nfault: crash", names=["steps"])
    assert set(controls) == {"steps"} and [row["field"] for row in problems] == ["fault"]


@pytest.mark.parametrize(("part", "status"), [("viewer", 403), ("stranger", 404), (None, 302)])
def test_others_may_not(house, part, status):
    assert ask(house, part).status_code == status


def test_unknown_kinds_and_gets(house):
    assert house.client("expert").post(url(house, "no.kind"), {}).status_code == 404
    assert house.client("expert").get(url(house)).status_code == 405
