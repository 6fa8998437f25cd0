"""Forms made from `Params`: every type, simple and expert, errors beside the field, only what differs."""

from enum import Enum
from typing import Any, Literal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation
from pydantic import BaseModel, Field, field_validator

from apps.core.models import Upload
from apps.core.paramforms import ParamsForm
from tests.factories import House, make_artefact, make_house
from workers.kinds import Kind, kinds
from workers.params import Params, artefact, param, upload
from workers.words import marked as _

pytestmark = pytest.mark.django_db


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Step(BaseModel):
    step: str
    limit: int = Field(1, ge=1)


class EveryType(Params):
    source: str = upload(label=_("File"))
    dataset: str | None = artefact("dataset_version", label=_("Dataset"), required=False)
    name: str = param(label=_("Name"), simple=True, min_length=2, max_length=20)
    method: Literal["lora", "full"] = param("lora", label=_("Method"), choices={"lora": _("Small"), "full": _("All")})
    colour: Colour = param(Colour.RED, label=_("Colour"))
    rate: float = param(0.1, label=_("Rate"), unit="1/s", group=_("Speed"), gt=0, le=1)
    steps_max: int | None = param(None, label=_("Steps"), group=_("Speed"), ge=1)
    quick: bool = param(True, label=_("Quick"))
    prompts: list[str] = param(["one"], label=_("Prompts"))
    steps: list[Step] = param([], label=_("Recipe"))
    note: str = param("", label=_("Note"), max_length=2000)

    @field_validator("note")
    @classmethod
    def _polite(cls, note: str) -> str:
        if note == "rude":
            raise ValueError(_("Some fields are not right."))
        return note


KIND = Kind("test.every", "Every type", lambda params, io: {}, EveryType)


@pytest.fixture
def house() -> House:
    return make_house()


def filled(house: House, files: dict[str, Any] | None = None, **data: Any) -> ParamsForm:
    """A form as a browser sends it: what is not given is at its default."""
    sent = {"name": "harbour", "method": "lora", "colour": "red", "rate": "0.1", "quick": "on", "prompts": "one"} | data
    files = {"source": SimpleUploadedFile("rows.jsonl", b"{}\n")} if files is None else files
    return ParamsForm(KIND, house.project, sent, files, actor=house.actor("expert"))


def test_only_what_differs_is_returned(house):
    form = filled(house, rate="0.5")
    assert form.is_valid(), form.errors
    source = str(Upload.objects.get().pk)
    assert form.params() == {"source": source, "name": "harbour", "rate": 0.5}
    assert form.params(all=True)["method"] == "lora"


def test_every_type_comes_back_as_its_type(house):
    made = make_artefact(house.project, type="dataset_version")
    form = filled(
        house,
        dataset=str(made.pk),
        method="full",
        colour="blue",
        steps_max="5",
        prompts="a\n\n b ",
        steps='[{"step": "dedup", "limit": 2}]',
    )
    form.data.pop("quick")
    assert form.is_valid(), form.errors
    params = form.params()
    params.pop("source")
    assert params == {
        "name": "harbour",
        "dataset": str(made.pk),
        "method": "full",
        "colour": "blue",
        "steps_max": 5,
        "quick": False,
        "prompts": ["a", "b"],
        "steps": [{"step": "dedup", "limit": 2}],
    }
    assert EveryType.model_validate(form.params())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("rate", "-1", "more than 0"),
        ("rate", "abc", "number"),
        ("rate", "2", "at most 1"),
        ("name", "x", "at least 2"),
        ("method", "other", "other"),
        ("steps", "[{]", "JSON"),
        ("steps", '[{"step": "a", "limit": 0}]', "0.limit"),
        ("steps_max", "0", "at least 1"),
        ("note", "rude", "not right"),
    ],
)
def test_an_error_stands_beside_its_field(house, field, value, words):
    form = filled(house, **{field: value})
    assert not form.is_valid()
    assert list(form.errors) == [field]
    assert words in str(form.errors[field])


def test_errors_are_in_the_readers_language(house, settings):
    with translation.override("zh-hans"):
        form = filled(house, rate="-1")
        assert not form.is_valid()
        assert "%(gt)s" not in str(form.errors["rate"])


def test_units_are_in_the_readers_language(house):
    with translation.override("zh-hans"):
        assert ParamsForm("gpucloud.check", house.project).fields["checkpoint_every"].unit == "步"


def test_a_file_is_needed(house):
    form = filled(house, files={})
    assert list(form.errors) == ["source"]


def test_an_upload_of_another_project_is_not_found(house):
    other = Upload.objects.create(
        project=house.other_project, user=house.stranger, filename="x", size_bytes=1, offset_bytes=1, sha256="0" * 64
    )
    form = filled(house, files={}, source=str(other.pk))
    assert list(form.errors) == ["source"]


def test_artefacts_of_another_project_are_neither_offered_nor_taken(house):
    mine, theirs = [
        make_artefact(p, n, "dataset_version") for p, n in ((house.project, "mine"), (house.other_project, "theirs"))
    ]
    form = filled(house, dataset=str(theirs.pk))
    html = str(form["dataset"])
    assert "mine" in html
    assert "theirs" not in html
    assert str(mine.pk) in html
    assert list(form.errors) == ["dataset"]


def test_simple_fields_and_expert_groups_hold_every_field_once(house):
    form = ParamsForm(KIND, house.project, actor=house.actor())
    simple = [bound.name for bound in form.simple_fields()]
    assert simple == ["source", "dataset", "name"]
    groups = form.expert_groups()
    rest = [bound.name for group in groups for bound in group["fields"]]
    assert sorted(simple + rest) == sorted(form.fields)
    assert "Speed" in [group["label"] for group in groups]


def test_units_ranges_and_help_reach_the_control(house):
    form = ParamsForm(KIND, house.project, actor=house.actor())
    assert form["rate"].field.unit == "1/s"
    assert 'max="1' in str(form["rate"])
    assert 'min="1"' in str(form["steps_max"])
    assert form["quick"].field.default_text == "true"
    assert form["prompts"].field.default_text == "one"
    assert "Small" in str(form["method"])


def test_what_the_page_sets_itself_is_left_out(house):
    form = ParamsForm(KIND, house.project, {"name": "harbour"}, actor=house.actor(), exclude=("source",))
    assert "source" not in form.fields
    assert form.is_valid(), form.errors
    assert form.params(source="fixed")["source"] == "fixed"


def test_a_form_can_be_made_of_every_kind(house):
    for name in kinds.names():
        form = ParamsForm(name, house.project, actor=house.actor())
        assert 1 <= len(list(form.simple_fields())) <= 5, f"{name}: at most five choices, in plain words"
        for bound in form:
            assert bound.label, f"{name}.{bound.name} has no label"
            str(bound)
