"""What holds the house together: who imports whom, what the web process loads, that names lead to code and tests."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from aifs import reference, source_map
from scripts import rules
from tests.servers import ROOT

OTHERS = ("admin:", "account_", "mfa_")
"""Names of URLs that come with Django's admin and allauth."""


def test_import_contracts() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_web_process_loads_no_torch() -> None:
    code = "import django; django.setup(); import aifs.urls, sys; print([m for m in HEAVY if m in sys.modules])"
    heavy = "HEAVY = ('torch', 'transformers', 'trl', 'datasets', 'openvino_genai', 'pandas', 'sklearn'); "
    done = subprocess.run(
        [sys.executable, "-c", heavy + code], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_sdk_loads_no_django() -> None:
    code = "import aifs.sdk.cli, sys; print([m for m in ('django', 'apps', 'workers', 'celery') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("rule", rules.RULES)
def test_house_rules(rule: str) -> None:
    assert not rules.RULES[rule]()


def test_every_url_has_a_test() -> None:
    ours = [url for name, url in sorted(source_map.urls().items()) if not name.startswith(OTHERS)]
    assert [url.name for url in ours if not source_map.tests(url)] == []


def where(*arguments: str) -> str:
    out = io.StringIO()
    call_command("where", *arguments, stdout=out)
    return out.getvalue()


def test_where_leads_from_a_name_to_its_code() -> None:
    lines = where("core:settings_keys").splitlines()
    kinds = [line.split()[0] for line in lines]
    assert {"view", "service", "template", "button", "test"} <= set(kinds)
    for line in lines:
        path, _, number = line.split()[1].partition(":")
        assert int(number) <= len((ROOT / path).read_text().splitlines())


def test_where_lists_names_and_suggests_near_ones() -> None:
    assert "core:dashboard" in where().splitlines()
    with pytest.raises(CommandError, match="core:dashboard"):
        where("core:dashbord")


def test_reference_pages_say_what_the_code_says(tmp_path: Path) -> None:
    assert not reference.drift()
    (tmp_path / "settings.md").write_text("old")
    assert "settings.md" in reference.drift(tmp_path)
