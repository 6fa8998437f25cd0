"""`aifs backup` and `aifs restore`, as an operator uses them: on stacks that run, on files that are broken."""

import io
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from aifs.backup import BackupError
from aifs.backup.making import back_up
from aifs.backup.restoring import Reading, _check_space, check_target, check_versions, restore
from aifs.demo.report import problems
from aifs.demo.run import BENCHMARK, DATASET, DEPLOYMENT, HELD_OUT, MODEL, PROMPT, TUNED
from aifs.sdk import Client
from aifs.sdk.models import summary
from tests.stack.foreign import program
from tests.stack.small_demo import FOUND_AGAIN, SmallDemo
from tests.stack.stacks import Stack

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]
Refused = Callable[[Path, str], None]
QUESTION = "Say something that only you would say."
CHECK = {"steps": 1_000_000, "seconds_per_step": 0.2, "checkpoint_every": 10}


def operate(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`aifs …` on the operator's machine: it finds the installation by AIFS_HOME."""
    return subprocess.run(
        [program(), *arguments], env=stack.environment, capture_output=True, text=True, timeout=200, check=False
    )  # fmt: skip


def client(stack: Stack) -> Client:
    access = stack.access
    return Client(access["url"], access["api_key"], access["project"], access["gateway_url"])


def backed_up(stack: Stack, target: Path, *options: str) -> dict[str, Any]:
    done = operate(stack, "backup", str(target), *options, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, SmallDemo]]:
    """A stack with all that the demo makes: rows, measured models, a deployment, a published prompt. And a run with
    checkpoints that goes on."""
    folder = tmp_path_factory.mktemp("original")
    stack = Stack(folder / "home")
    stack.up()
    demo = SmallDemo(stack.access, folder / "demo")
    found = demo.run()
    assert not problems(found, shipped=False)
    with client(stack) as ours:
        run = ours.jobs.start("gpucloud.check", CHECK)
    wait_for(lambda: list((stack.home.path / "storage/checkpoints" / run.id).glob("*")), 60)
    yield stack, demo
    stack.down()


@pytest.fixture(scope="module")
def original(demo: tuple[Stack, SmallDemo]) -> Stack:
    return demo[0]


def wait_for(true: Callable[[], object], timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.2)


def answers(stack: Stack) -> dict[str, Any]:
    """What the demo leaves: rows, models, all numbers of their evaluations, deployment, published prompt."""
    with client(stack) as ours:
        chat = ours.chat(DEPLOYMENT, QUESTION, temperature=0, max_tokens=24)
        prompt = ours.prompts.run(PROMPT, {"question": QUESTION})
        return {
            "rows": {name: ours.datasets.preview(name, rows=100) for name in (DATASET, HELD_OUT, BENCHMARK)},
            "models": [summary(ours.models.version(name)) for name in (MODEL, TUNED)],
            "evaluations": ours.evaluations.list(),
            "chat": chat.text,
            "prompt": prompt["choices"][0]["message"]["content"],
        }


def check_run(stack: Stack) -> dict[str, Any]:
    jobs = stack.get("/api/v1/jobs/?kind=gpucloud.check")["results"]
    return stack.get(f"/api/v1/jobs/{jobs[0]['id']}/")


@pytest.fixture(scope="module")
def saved(original: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups") / "daily"
    done = backed_up(original, folder)
    assert done["files_copied"] == done["files"] > 5 and not done["missing"] and not done["damaged"]
    return folder


@pytest.fixture(scope="module")
def tar(original: Stack, saved: Path) -> Path:
    path = saved.parent / "whole.tar.zst"
    backed_up(original, path, "--with-secrets")
    return path


@pytest.fixture
def refused(settings: Any, tmp_path: Path) -> Iterator[Refused]:
    """Restores here, into an empty database and storage, what must be refused; both are as empty as before."""
    home, name = tmp_path / "target", f"test_run_{os.getpid()}_target"
    server = settings.DATABASE_URL.rpartition("/")[0]
    settings.AIFS_HOME, settings.STORAGE_URL = home, f"file://{home / 'storage'}"
    settings.DATABASE_URL = f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
        yield refuse
        assert check_target() >= 15, "nothing is in the database"
        session.execute(f"DROP DATABASE {name} WITH (FORCE)")


def refuse(path: Path, words: str) -> None:
    with pytest.raises(BackupError, match=re.escape(words)):
        restore(path, lambda *_: None)


def test_a_backup_is_for_its_owner_alone_and_holds_no_secret(original: Stack, saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o700
    snapshot = next((saved / "snapshots").iterdir())
    assert {path.name for path in snapshot.iterdir()} == {
        "backup.json", "checkpoints.json", "files.txt", "database.dump", "end.json"
    }  # fmt: skip
    key = next(line for line in original.home.stack_env.read_text().splitlines() if line.startswith("SECRET_KEY="))
    everything = b"".join(path.read_bytes() for path in snapshot.iterdir())
    assert key.partition("=")[2].encode() not in everything
    assert original.access["api_key"].encode() not in everything


def test_a_second_backup_copies_what_is_new(original: Stack, saved: Path, tmp_path: Path) -> None:
    rows = tmp_path / "more.jsonl"
    rows.write_text(json.dumps({"prompt": "a", "response": "b"}) + "\n")
    with client(original) as ours:
        ours.datasets.import_file(rows, name="more").wait(timeout_s=60)
    done = backed_up(original, saved)
    assert 0 < done["files_copied"] < done["files"]
    assert len(list((saved / "snapshots").iterdir())) == 2


def test_a_restored_copy_passes_the_checks_of_the_demo(
    demo: tuple[Stack, SmallDemo], saved: Path, tmp_path: Path
) -> None:
    """It holds the same, and gives the same when it is asked and measured again."""
    original, made = demo
    before, run = answers(original), check_run(original)
    assert len(before["evaluations"]) == 2 and all(row["scores"] for row in before["evaluations"])
    copy = Stack(tmp_path / "copy")
    done = operate(copy, "restore", str(saved), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["checkpoints"] >= 1 and result["jobs_requeued"] == 2 and result["secret_key"] == "other"
    copy.up()
    try:
        assert copy.access["api_key"] != original.access["api_key"]
        assert answers(copy) == before
        found = made.again(copy.access)
        assert not problems(found, shipped=False)
        assert {name: found[name] for name in FOUND_AGAIN} == {name: made.found[name] for name in FOUND_AGAIN}
        wait_for(lambda: check_run(copy)["state"] == "running", 60)
        ours, theirs = check_run(copy), check_run(original)
        assert ours["attempt"] == run["attempt"] + 1 and ours["progress"]["done"] >= 10
        assert theirs["state"] == "running" and theirs["attempt"] == run["attempt"]
    finally:
        copy.down()


def test_nothing_is_overwritten(original: Stack, saved: Path) -> None:
    done = operate(original, "restore", str(saved))
    assert done.returncode == 1
    assert "is not empty" in done.stderr and "Nothing was restored" in done.stderr
    assert original.get("/api/v1/datasets/")["results"]


def cut(path: Path, at: float) -> Callable[[Path], Path]:
    def spoil(folder: Path) -> Path:
        content = path.read_bytes()
        broken = folder / path.name
        broken.write_bytes(content[: int(len(content) * at)])
        return broken

    return spoil


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.9999])
def test_a_cut_off_file_is_refused(tar: Path, refused: Refused, tmp_path: Path, share: float) -> None:
    refused(cut(tar, share)(tmp_path), "is cut off or damaged")


def without_end(saved: Path, folder: Path) -> str:
    for end in (folder / "snapshots").glob("*/end.json"):
        end.unlink()
    return "no backup that was finished"


def flipped_object(saved: Path, folder: Path) -> str:
    path = max((folder / "objects").glob("*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "1 files have other bytes than were written"


def lost_object(saved: Path, folder: Path) -> str:
    newest = max((folder / "snapshots").iterdir())
    named = next(
        name
        for name in newest.joinpath("files.txt").read_text().split()[::2]
        if (folder / "objects" / name[:2] / name).exists()
    )
    (folder / "objects" / named[:2] / named).unlink()
    return "1 of its files are gone"


def flipped_dump(saved: Path, folder: Path) -> str:
    dump = max((folder / "snapshots").iterdir()) / "database.dump"
    content = bytearray(dump.read_bytes())
    content[-100] ^= 1
    dump.write_bytes(content)
    return "database.dump is not what was written"


def newer_software(saved: Path, folder: Path) -> str:
    path = max((folder / "snapshots").iterdir()) / "backup.json"
    head = json.loads(path.read_text())
    head["migrations"]["core"].append("0999_from_the_future")
    path.write_text(json.dumps(head))
    return "made by a newer AIFS"


def other_format(saved: Path, folder: Path) -> str:
    path = max((folder / "snapshots").iterdir()) / "backup.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    return "format 2"


@pytest.mark.parametrize(
    "spoil", [without_end, flipped_object, lost_object, flipped_dump, newer_software, other_format]
)
def test_a_broken_folder_is_refused(
    saved: Path, refused: Refused, tmp_path: Path, spoil: Callable[[Path, Path], str]
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(saved, folder)
    refused(folder, spoil(saved, folder))


def test_what_is_no_backup_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "letter.tar").write_text("Dear Sir or Madam, " * 100)
    with tarfile.open(tmp_path / "climbing.tar", "w") as archive:
        entry = tarfile.TarInfo("objects/../../../etc/passwd")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"root"))
    (tmp_path / "folder").mkdir()
    for name, words in {
        "letter.tar": "no whole backup",
        "climbing.tar": "no backup of",
        "folder": "no backup of",
    }.items():
        refused(tmp_path / name, words)
    refused(tmp_path / "nowhere", "There is no")


def test_a_tar_with_secrets_makes_the_same_installation(original: Stack, tar: Path, tmp_path: Path) -> None:
    """Into a home where a restore has failed before."""
    assert stat.S_IMODE(tar.stat().st_mode) == 0o600
    empty = Stack(tmp_path / "empty")
    done = operate(empty, "restore", str(cut(tar, 0.9)(tmp_path)))
    assert done.returncode == 1
    assert "Nothing was restored" in done.stderr and "Traceback" not in done.stderr
    done = operate(empty, "restore", str(tar), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["secret_key"] == "restored"
    empty.up()
    try:
        ours, theirs = empty.access, original.access
        assert (ours["api_key"], ours["password"]) == (theirs["api_key"], theirs["password"])
        assert empty.get("/api/v1/datasets/")["results"]
    finally:
        empty.down()


def test_keep_prunes_what_no_snapshot_names(original: Stack, saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pruned"
    shutil.copytree(saved, folder)
    stray = folder / "objects" / "ab" / ("ab" + "0" * 62)
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("of a backup that was broken off")
    time.sleep(1)
    done = backed_up(original, folder, "--keep", "1")
    assert done["files_pruned"] >= 1 and not stray.exists()
    kept = list((folder / "snapshots").iterdir())
    assert [path.name for path in kept] == [done["snapshot"]]
    named = {line.split()[0] for line in (kept[0] / "files.txt").read_text().splitlines()}
    gone = json.loads((kept[0] / "end.json").read_text())["vanished"]  # checkpoints that newer ones replaced meanwhile
    assert {path.name for path in (folder / "objects").glob("*/*")} == named - set(gone)


def test_a_rotten_file_is_named_and_the_rest_is_saved(original: Stack, tmp_path: Path) -> None:
    objects = original.home.path / "storage" / "objects"
    path = min(objects.glob("*/*"), key=lambda path: path.stat().st_size)
    content = path.read_bytes()
    os.chmod(path, 0o600)
    path.write_bytes(b"x" * len(content))
    try:
        for target in (tmp_path / "folder", tmp_path / "file.tar"):
            done = operate(original, "backup", str(target))
            assert done.returncode == 1
            assert path.name in done.stderr and "The backup was made" in done.stderr
        done = operate(Stack(tmp_path / "copy"), "restore", str(target), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["missing"] == [path.name]
    finally:
        path.write_bytes(content)


def test_wrong_targets_are_refused_and_nothing_is_left(tmp_path: Path, settings: Any) -> None:
    settings.DATABASE_URL = settings.DATABASE_URL.rpartition("/")[0] + "/postgres"  # any server will do
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    (tmp_path / "there.tar").write_text("mine")
    wrong = [("full", 0, "holds other things"), ("there.tar", 0, "never overwrites"), ("new.tar", 2, "for folders")]
    for name, keep, words in wrong:
        with pytest.raises(BackupError, match=words):
            back_up(tmp_path / name, lambda *_: None, keep=keep)
    nothing = operate(Stack(tmp_path / "nothing"), "backup", str(tmp_path / "none"))
    assert nothing.returncode == 1 and "There is no AIFS" in nothing.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "there.tar"]


def test_what_does_not_fit_is_said_before_anything_is_written() -> None:
    with pytest.raises(BackupError, match="MiB free"):
        _check_space(Reading(wanted={"a" * 64: 1 << 60}))


def test_an_older_server_is_refused() -> None:
    with pytest.raises(BackupError, match="must not be older"):
        check_versions({"format": 1, "aifs": "1", "migrations": {}, "postgres": {"server": 18}}, 15)


@pytest.mark.django_db
def test_a_database_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATABASE_URL", settings.DATABASE_URL.rpartition("/")[0] + f"/{_test_database()}")
    with pytest.raises(BackupError, match="not empty"):
        check_target()


def _test_database() -> str:
    from django.db import connection

    return str(connection.settings_dict["NAME"])


def test_down_and_up_keep_what_was_deployed(original: Stack) -> None:
    """The last one here. `up` returns when what was deployed answers again; runs go on where they were."""
    before, run = answers(original), check_run(original)
    original.down()
    original.up()
    assert answers(original) == before
    wait_for(lambda: check_run(original)["state"] == "running", 60)
    assert check_run(original)["progress"]["done"] >= run["progress"]["done"] // 2
