"""What `make test` says at its end."""

from pathlib import Path
from typing import Any

from scripts import run_tests

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_good"/>
<testcase classname="tests.a" name="test_bad"><failure message="assert 1 == 2&#10; more">trace</failure></testcase>
<testcase classname="tests.a" name="test_bad"><error message="failed on teardown">trace</error></testcase>
<testcase classname="tests.a" name="test_left_out"><skipped message="no GPU here">place</skipped></testcase>
</testsuite></testsuites>"""


def test_every_failure_is_named_last_with_its_reasons(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "unit.xml").write_text(REPORT)
    outcome = run_tests.Outcome("unit", 1, 2.0, 1.0)
    run_tests.count(tmp_path / "unit.xml", outcome)
    run_tests.summary([outcome])
    said = capsys.readouterr().out.strip().splitlines()
    assert said[1].split() == ["unit", "3", "1", "1", "1", "2", "1"]
    assert said[2] == "skipped 1 in unit: no GPU here"
    assert said[-1] == "failed in unit: tests.a.test_bad: assert 1 == 2 more failed on teardown"
