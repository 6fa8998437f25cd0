"""How much space a paused run waits for. The free space of a real disk is not ours to set, so it is given here."""

from pathlib import Path

import pytest

from workers import disk


@pytest.fixture
def sized(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def make(*, own: int, free: int, total: int = 768) -> Path:
        monkeypatch.setattr(disk, "used_mib", lambda _folder: own)
        monkeypatch.setattr(disk, "free_mib", lambda _folder: free)
        monkeypatch.setattr(disk, "total_mib", lambda _folder: total)
        return tmp_path

    return make


def test_a_full_disk_must_give_what_the_run_had_and_a_quarter_more(sized) -> None:
    assert disk.needed_mib(sized(own=200, free=0)) == 250


def test_a_small_run_asks_for_a_margin(sized) -> None:
    assert disk.needed_mib(sized(own=1, free=0)) == 1 + disk.MARGIN_MIB


def test_never_more_than_the_disk_could_have(sized) -> None:
    assert disk.needed_mib(sized(own=700, free=0)) == int(768 * 0.9)


def test_space_that_others_have_given_back_is_not_asked_for_on_top(sized) -> None:
    """Others had filled the disk and left: 138 of 768 MiB stay taken, and the run goes on in what is free."""
    assert disk.needed_mib(sized(own=1, free=630)) <= 630


def test_a_folder_counts_what_removing_it_would_give_back(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/big").write_bytes(b"x" * (3 << 20))
    (tmp_path / "elsewhere").hardlink_to(tmp_path / "deep/big")
    assert disk.used_mib(tmp_path / "deep") == 0
    (tmp_path / "elsewhere").unlink()
    assert disk.used_mib(tmp_path / "deep") == 3
