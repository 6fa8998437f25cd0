"""`dataset-add-case`: an answer of the playground becomes a row of a dataset for evaluation."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections
from django.urls import reverse

from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.models import LineageEdge
from apps.core.storage import storage
from apps.datasets import selectors, services
from apps.datasets.models import Dataset, DatasetVersion
from tests.datasets.making import ROWS, as_lines, make_version
from tests.factories import make_house
from tests.workers.datasets.running import run_import, run_kind
from workers.datasets import cases

URL = reverse("dataset-add-case")
SYSTEM = {"role": "system", "content": "Be brief."}


def case(question: str = "What is AIFS?", answer: str = "A house for models.") -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def rows_of(version: DatasetVersion) -> list[list[dict[str, str]]]:
    return [row["messages"] for row in selectors.read_rows(version, "data", limit=100)]


@pytest.mark.django_db
def test_the_first_case_makes_the_dataset():
    house = make_house()
    answer = house.api("expert").post(URL, {"messages": [SYSTEM, *case()]}, "application/json")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["dataset_name"], made["number"], made["rows"], made["kind"]) == ("Test cases", 1, 1, "evaluation")
    assert made["url"] == f"/p/{house.project.slug}/data/{made['id']}/"
    version = DatasetVersion.objects.get(pk=made["id"])
    assert rows_of(version) == [[SYSTEM, *case()]]
    assert version.artefact.created_by == house.expert
    for part in ("", "rows/", "export/"):
        assert house.client("viewer").get(f"{made['url']}{part}").status_code == 200


@pytest.mark.django_db
def test_the_default_name_is_in_the_readers_language():
    house = make_house()
    headers = {"Accept-Language": "zh-hans"}
    made = house.api().post(URL, {"messages": case()}, "application/json", headers=headers).json()
    assert made["dataset_name"] in {"测试用例", "Test cases"}


@pytest.mark.django_db
def test_the_next_case_makes_the_next_version_of_all_rows():
    house = make_house()
    first = services.add_case(house.actor(), house.project, "cases", case())
    second = services.add_case(
        house.actor("expert"), house.project, "cases", case("数据放在哪里？", "放在自己的机器上。")
    )
    assert (second.number, second.rows) == (2, 2)
    assert rows_of(second) == [case(), case("数据放在哪里？", "放在自己的机器上。")]
    assert rows_of(first) == [case()]
    edge = LineageEdge.objects.get(child=second.artefact)
    assert (edge.parent, edge.role) == (first.artefact, "previous")
    assert second.report["statistics"]["chinese_rows"] == 1
    assert selectors.count_cleaned(house.project) == 0


@pytest.mark.django_db
def test_a_case_that_is_there_makes_no_version():
    house = make_house()
    first = services.add_case(house.actor(), house.project, "cases", case())
    assert services.add_case(house.actor(), house.project, "cases", case()) == first
    assert services.add_case(house.actor(), house.project, "cases", case(answer="Another one.")).number == 2


@pytest.mark.django_db
def test_rows_of_an_import_stay(tmp_path: Path):
    house = make_house()
    imported = make_version(house, tmp_path, "held out")
    Dataset.objects.update(kind="evaluation")
    version = services.add_case(house.actor(), house.project, "held out", case())
    assert rows_of(version) == [*rows_of(imported), case()]


@pytest.mark.django_db
def test_data_to_learn_from_takes_no_case(tmp_path: Path):
    house = make_house()
    make_version(house, tmp_path, "lessons")
    answer = house.api().post(URL, {"name": "lessons", "messages": case()}, "application/json")
    assert answer.status_code == 400
    (wrong,) = answer.json()["data"]["errors"]
    assert wrong["field"] == "name" and "lessons" in wrong["message"] and "not for evaluation" in wrong["message"]


@pytest.mark.django_db
def test_a_set_of_another_shape_takes_no_case(tmp_path: Path):
    house = make_house()
    choices = [{"question": "1 + 1 = ?", "choices": ["1", "2"], "answer": 1}]
    assert make_version(house, tmp_path, "quiz", choices).dataset.kind == "evaluation"
    with pytest.raises(InvalidInput, match="no conversations"):
        services.add_case(house.actor(), house.project, "quiz", case())


@pytest.mark.django_db
def test_a_full_set_takes_no_case(monkeypatch: pytest.MonkeyPatch):
    house = make_house()
    monkeypatch.setattr(cases, "ROWS_MAX", 1)
    services.add_case(house.actor(), house.project, "cases", case())
    with pytest.raises(InvalidInput, match="full"):
        services.add_case(house.actor(), house.project, "cases", case(answer="Another one."))
    monkeypatch.setattr(cases, "ROWS_MAX", 10)
    monkeypatch.setattr(cases, "CHARACTERS_MAX", 5)
    with pytest.raises(InvalidInput, match="full"):
        services.add_case(house.actor(), house.project, "cases", case(answer="Another one."))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "messages",
    [
        [],
        case()[:1],
        case()[1:],
        case(answer="  "),
        case(question=" "),
        [*case(), {"role": "user", "content": "And?"}],
        [{"role": "user"}, case()[1]],
        [{"role": "wizard", "content": "x"}, case()[1]],
        ["Hello", "World"],
        "Hello",
        None,
        [{"role": "user", "content": 5}, case()[1]],
    ],
)
def test_what_is_no_test_case_is_refused(messages: object):
    house = make_house()
    answer = house.api().post(URL, {"name": "cases", "messages": messages}, "application/json")
    assert answer.status_code == 400
    assert answer.json()["data"]["errors"][0]["field"].startswith("messages")
    assert not Dataset.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "  ", "x" * 121, ["cases"]])
def test_what_is_no_name_is_refused(name: object):
    answer = make_house().api().post(URL, {"name": name, "messages": case()}, "application/json")
    assert answer.status_code == 400
    assert answer.json()["data"]["errors"][0]["field"] == "name"


@pytest.mark.django_db
def test_half_a_character_is_refused():
    house = make_house()
    with pytest.raises(InvalidInput):
        services.add_case(house.actor(), house.project, "cases", case(answer="\ud800"))


@pytest.mark.django_db
def test_who_may_save():
    house = make_house()
    given = {"messages": case(), "project": house.project.slug}
    assert house.client("expert").post(URL, given, "application/json").status_code == 201
    assert house.api("viewer").post(URL, given, "application/json").status_code == 403
    assert house.api("stranger").post(URL, given, "application/json").status_code == 404
    assert house.client(None).post(URL, given, "application/json").status_code == 401
    for part, error in (("viewer", NotAllowed), ("stranger", NotFound)):
        with pytest.raises(error):
            services.add_case(house.actor(part), house.project, "cases", case())


@pytest.mark.django_db(transaction=True)
def test_who_saves_at_the_same_time_loses_nothing():
    house = make_house()

    def save(number: int) -> None:
        try:
            part = ("owner", "expert")[number % 2]
            services.add_case(house.actor(part), house.project, "cases", case(f"Question {number}?"))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(12)))
    dataset = Dataset.objects.get()
    newest = dataset.versions.latest("number")
    assert sorted(dataset.versions.values_list("number", flat=True)) == list(range(1, 13))
    assert sorted(messages[0]["content"] for messages in rows_of(newest)) == sorted(
        f"Question {number}?" for number in range(12)
    )


@pytest.mark.django_db
def test_cases_can_be_read_by_every_kind_that_reads_an_import(tmp_path: Path):
    house = make_house()
    services.add_case(house.actor(), house.project, "cases", case())
    version = services.add_case(house.actor(), house.project, "cases", case(answer="Another one."))
    storage().fetch_tree(version.artefact.manifest, tmp_path / "version")
    imported = run_import(tmp_path / "import", as_lines(ROWS))
    assert version.columns == imported.meta["columns"]
    assert set(version.artefact.manifest) == {path.name for path in (imported.directory / "outputs/dataset").iterdir()}
    files = {path.name: path for path in (tmp_path / "version").iterdir()}
    meta = selectors.version_meta(version.artefact)
    given = {"files": files, "meta": meta, "type": "dataset_version"}
    cleaned = run_kind(tmp_path / "clean", "datasets.clean", {"dataset": "d"}, dataset=given)
    assert (cleaned.status, cleaned.report["rows_in"]) == (0, 2)
