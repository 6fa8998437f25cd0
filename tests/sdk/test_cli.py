"""The `aifs` command: help, exit status, and the JSON that programs read."""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aifs.sdk import cli
from aifs.sdk.cli.arguments import pairs
from aifs.sdk.errors import InvalidInput
from apps.gpucloud.models import Job
from tests.factories import House
from tests.gpucloud.pieces import make_node, schedule, started
from tests.prompts.factories import make_deployment

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "cli_help.txt"
Run = Callable[..., tuple[int, str, str]]


def helps(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The help of a parser and of everything under it."""
    yield parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from helps(child)


def test_help_is_as_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = "\n".join(helps(cli.parser()))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "run with UPDATE_GOLDEN=1 when the change is meant"


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("job list", "jobs list"), ("jobs start lmt.sft", "job start lmt.sft"), ("job start x", "job start x"),
        ("--json job show x", "--json jobs show x"), ("--project job jobs list", "--project job jobs list"),
        ("chat jobs hello", "chat jobs hello"),
    ],
)  # fmt: skip
def test_job_and_jobs_are_both_understood(typed: str, command: str) -> None:
    assert cli.meant(typed.split()) == command.split()


def test_values_of_parameters() -> None:
    given = ["a=1", "b=1e-3", "c=true", "d=text with = inside", 'e=["x", 2]', "f=中文", "g=NaN", "h="]
    assert pairs(given) == {
        "a": 1, "b": 0.001, "c": True, "d": "text with = inside", "e": ["x", 2], "f": "中文", "g": "NaN", "h": "",
    }  # fmt: skip
    assert pairs(["a=1"], plain=True) == {"a": "1"}
    with pytest.raises(InvalidInput):
        pairs(["nothing"])


def test_login_checks_and_remembers(run_cli: Run, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key = house.key("expert")
    status, out, _err = run_cli("login", "http://127.0.0.1", "--key", key, "--json", part="")
    assert status == 0
    stored = Path(json.loads(out)["stored"])
    assert json.loads(stored.read_text())["api_key"] == key
    monkeypatch.delenv("AIFS_API_KEY", raising=False)
    assert run_cli("datasets", "list", part="")[0] == 0
    status, _out, err = run_cli("login", "http://127.0.0.1", "--key", "aifs_wrong_key", part="")
    assert status == 4
    assert key not in err


def test_exit_status(run_cli: Run, tmp_path: Path) -> None:
    assert run_cli("jobs", "show", "01890000-0000-7000-8000-000000000000")[0] == 3
    assert run_cli("datasets", "show", "nobody")[0] == 3
    assert run_cli("datasets", "import", str(tmp_path / "missing"), "--name", "x")[0] == 3
    assert run_cli("job", "start", "datasets.clean", "--param", "dataset=x", part="viewer")[0] == 4
    assert run_cli("prompts", "create", "two words")[0] == 2
    assert run_cli("job", "start", "datasets.clean", "--param", "broken")[0] == 2
    with pytest.raises(SystemExit) as caught:
        cli.main(["datasets", "paint"])
    assert caught.value.code == 2


def test_a_reason_goes_to_standard_error_only(run_cli: Run) -> None:
    status, out, err = run_cli("--json", "job", "start", "lmt.sft", "--param", "learning_rate=-1")
    assert (status, out) == (2, "")
    assert "learning_rate" in err


def test_import_is_a_job_and_json_is_the_last_line(run_cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"instruction": "a", "output": "b"}\n')
    status, out, _err = run_cli("datasets", "import", str(path), "--name", "数据", "--json")
    assert status == 0
    assert Job.objects.get(pk=json.loads(out.splitlines()[-1])["job"]).params["name"] == "数据"
    status, out, _err = run_cli("jobs", "list", "--json")
    assert [row["kind"] for row in json.loads(out)] == ["datasets.import"]
    assert "数据" in run_cli("jobs", "list")[1]
    id = json.loads(out)[0]["id"]
    assert json.loads(run_cli("jobs", "cancel", id, "--json")[1]) == {"job": id, "state": "cancelled"}


def test_a_running_job_is_asked_to_stop(run_cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"instruction": "a", "output": "b"}\n')
    id = json.loads(run_cli("datasets", "import", str(path), "--name", "rows", "--json")[1])["job"]
    make_node()
    schedule()
    started(Job.objects.get(pk=id))
    assert run_cli("jobs", "cancel", id)[1] == f"job {id} is asked to stop\n"


def test_upload_as_a_parameter(run_cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("instruction,output\na,b\n")
    arguments = ("job", "start", "datasets.import", "--param", f"source=@{path}", "--param", "name=rows", "--json")
    status, out, _err = run_cli(*arguments)
    assert status == 0
    assert len(Job.objects.get(pk=json.loads(out)["job"]).params["source"]) == 36


def test_prompts(run_cli: Run, house: House, tmp_path: Path) -> None:
    make_deployment(house)
    file = tmp_path / "greeter.yaml"
    file.write_text("messages: [{role: user, content: 'Hello {{ name }}'}]\n")
    assert run_cli("prompts", "create", "greeter")[0] == 0
    status, out, _err = run_cli("prompts", "push", "greeter", str(file), "--deployment", "harbour-chat", "--json")
    assert (status, json.loads(out)["version"]) == (0, 1)
    status, out, _err = run_cli("prompts", "publish", "greeter", "--json")
    assert (status, json.loads(out)["model"]) == (0, "prompt/greeter")
    assert "greeter" in run_cli("prompts", "list")[1]
    graph = json.loads(run_cli("lineage", "prompt", "greeter", "--json")[1])
    types = {"model_version", "deployment", "prompt_version", "prompt_service"}
    assert {node["type"] for node in graph["nodes"]} == types
    assert "→" in run_cli("lineage", "prompt", "greeter")[1]


def test_the_sdk_needs_nothing_of_the_server() -> None:
    """In a process of its own: no Django, no application, no workers, and quickly."""
    import subprocess
    import sys

    code = (
        "import sys, aifs.sdk, aifs.sdk.cli;"
        "bad = [name for name in sys.modules if name.split('.')[0] in {'django', 'apps', 'workers', 'torch'}];"
        "sys.exit(', '.join(bad) or 0)"
    )
    root = Path(__file__).resolve().parent.parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
