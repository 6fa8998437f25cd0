"""Charts of two runs set beside each other."""

import math

import pytest

from workers.differences import apart, is_measured
from workers.differences.series import compare_series


def series(**named):
    return {name: {"steps": list(range(1, len(values) + 1)), "values": values} for name, values in named.items()}


def test_equal_charts_have_no_difference():
    found = compare_series(series(loss=[3.0, 2.0, None]), series(loss=[3.0, 2.0, None]), 1e-3)
    assert (found.first, found.beyond) == (None, None)
    assert found.series == [{"name": "loss", "points": 3, "largest": 0.0, "largest_step": None, "first_step": None}]


def test_noise_is_told_from_another_course():
    found = compare_series(series(loss=[3.0, 2.0, 1.0]), series(loss=[3.0, 2.0001, 1.5]), 1e-3)
    assert (found.first.data["step"], found.first.within) == (2, True)
    assert (found.beyond.data["step"], found.beyond.data["original"]) == (3, "1.0")
    assert found.series[0]["largest_step"] == 3


def test_the_earliest_step_of_any_series_is_named_and_the_loss_before_the_rest():
    ours = series(grad_norm=[1.0, 1.0, 1.0], loss=[3.0, 2.0, 1.0])
    theirs = series(grad_norm=[1.0, 9.0, 9.0], loss=[3.0, 9.0, 9.0])
    assert compare_series(ours, theirs, 1e-3).beyond.data["series"] == "loss"
    theirs["grad_norm"]["values"][0] = 7.0
    assert compare_series(ours, theirs, 1e-3).beyond.data["series"] == "grad_norm"


@pytest.mark.parametrize(("ours", "theirs"), [([1.0, 2.0], [1.0]), ([1.0], [1.0, 2.0]), ([1.0, None], [1.0, 2.0])])
def test_missing_points_are_a_difference(ours, theirs):
    assert compare_series(series(loss=ours), series(loss=theirs), 1e-3).beyond.data["step"] == 2


def test_what_the_machine_decides_is_not_compared():
    found = compare_series(
        series(tokens_per_s=[5.0], memory_mib=[1.0], loss=[1.0]), series(tokens_per_s=[9.0], loss=[1.0]), 1e-3
    )
    assert [row["name"] for row in found.series] == ["loss"] and found.first is None
    assert is_measured("device.cpu_pct") and not is_measured("learning_rate")


@pytest.mark.parametrize(
    ("one", "other", "gap"),
    [(1.0, 1.0, 0), (math.nan, math.nan, 0), (1.0, math.nan, math.inf), (0.0, 1e-12, 0), (2.0, 1.0, 0.5)],
)
def test_how_far_apart(one, other, gap):
    assert apart(one, other) == gap
