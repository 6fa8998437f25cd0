"""Bytes go in and come out unchanged, or not at all."""

import os
import uuid

import pytest

from apps.core.errors import InvalidInput, NotFound
from apps.core.storage import ChecksumMismatch, Storage, file_sha256, manifest_sha256, manifest_size, safe_join

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("hello")
    (folder / "deep/b.bin").write_bytes(bytes(range(256)) * 5000)
    return folder


def test_a_file_is_stored_under_its_hash(store, tree):
    assert store.put_file(tree / "a.txt") == (HELLO, 5)
    assert store.has(HELLO)
    with store.open(HELLO) as stored:
        assert stored.read() == b"hello"


def test_the_same_bytes_are_stored_once(store, tree):
    store.put_file(tree / "a.txt")
    (tree / "again.txt").write_text("hello")
    assert store.put_file(tree / "again.txt") == (HELLO, 5)
    assert len(store.fs.find(f"{store.root}/objects")) == 1


def test_a_tree_comes_back_equal(store, tree, tmp_path):
    manifest = store.put_tree(tree)
    assert sorted(manifest) == ["a.txt", "deep/b.bin"]
    assert manifest_size(manifest) == 5 + 256 * 5000
    store.fetch_tree(manifest, tmp_path / "out")
    assert (tmp_path / "out/deep/b.bin").read_bytes() == (tree / "deep/b.bin").read_bytes()


def test_a_checkpoint_comes_back_equal_and_can_be_deleted(store, tree, tmp_path):
    job = uuid.uuid4()
    manifest = store.put_checkpoint(job, 10, tree)
    store.fetch_checkpoint(job, 10, manifest, tmp_path / "out")
    assert (tmp_path / "out/a.txt").read_text() == "hello"
    store.delete_checkpoint(job, 10)
    store.delete_checkpoint(job, 10)
    with pytest.raises(NotFound):
        store.fetch_checkpoint(job, 10, manifest, tmp_path / "out2")


def test_a_checkpoint_of_the_same_step_replaces_the_first(store, tree, tmp_path):
    job = uuid.uuid4()
    store.put_checkpoint(job, 10, tree)
    (tree / "a.txt").unlink()
    (tree / "a.txt").write_text("other")
    manifest = store.put_checkpoint(job, 10, tree)
    store.fetch_checkpoint(job, 10, manifest, tmp_path / "out")
    assert (tmp_path / "out/a.txt").read_text() == "other"


@pytest.mark.parametrize("damage", ["flip", "truncate"])
def test_changed_bytes_are_noticed(store, tree, tmp_path, damage):
    job = uuid.uuid4()
    manifest = store.put_checkpoint(job, 10, tree)
    path = f"{store.root}/checkpoints/{job}/10/a.txt"
    if store.local:
        os.chmod(path, 0o644)
    with store.fs.open(path, "wb") as stored:
        stored.write(b"hellO" if damage == "flip" else b"hel")
    with pytest.raises(ChecksumMismatch):
        store.fetch_checkpoint(job, 10, manifest, tmp_path / "out")
    assert not (tmp_path / "out/a.txt").exists()


def test_a_truncated_object_is_stored_anew(store, tree):
    store.put_file(tree / "a.txt")
    path = f"{store.root}/objects/{HELLO[:2]}/{HELLO}"
    if store.local:
        os.unlink(path)
    with store.fs.open(path, "wb") as stored:
        stored.write(b"hel")
    (tree / "a.txt").unlink()
    (tree / "a.txt").write_text("hello")
    store.put_file(tree / "a.txt")
    with store.open(HELLO) as stored:
        assert stored.read() == b"hello"


def test_nothing_unfinished_is_left_behind(tree, tmp_path, monkeypatch):
    store = Storage(str(tmp_path / "store"))
    monkeypatch.setattr(os, "replace", lambda *names: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.put_file(tree / "a.txt")
    assert not store.has(HELLO)
    assert not list((tmp_path / "store/tmp").iterdir())


def test_objects_are_read_only_and_linked_when_local(tree, tmp_path):
    store = Storage(str(tmp_path / "store"))
    store.put_file(tree / "a.txt")
    path = store.local_path(HELLO)
    assert path.stat().st_mode & 0o777 == 0o444
    store.fetch_file(HELLO, tmp_path / "linked")
    assert (tmp_path / "linked").stat().st_ino == path.stat().st_ino


def test_a_disk_without_hard_links_works_too(tree, tmp_path, monkeypatch):
    def refuse(*names):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = Storage(str(tmp_path / "store"))
    store.put_file(tree / "a.txt")
    store.fetch_file(HELLO, tmp_path / "copied")
    assert file_sha256(tmp_path / "copied") == (HELLO, 5)


def test_links_are_not_stored(store, tree):
    (tree / "sly").symlink_to("/etc/hostname")
    with pytest.raises(InvalidInput):
        store.put_tree(tree)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "a\0b", ""])
def test_a_manifest_cannot_lead_out_of_its_folder(store, tree, tmp_path, name):
    manifest = {name: next(iter(store.put_tree(tree).values()))}
    with pytest.raises(InvalidInput):
        store.fetch_tree(manifest, tmp_path / "out")
    with pytest.raises(InvalidInput):
        safe_join(tmp_path, name)


@pytest.mark.parametrize("text", ["", "../../etc/passwd", "A" * 64, HELLO + "/x"])
def test_what_is_no_hash_names_no_object(store, text):
    with pytest.raises(InvalidInput):
        store.open(text)


def test_a_missing_object_is_not_found(store, tmp_path):
    with pytest.raises(NotFound):
        store.open("0" * 64)
    with pytest.raises(NotFound):
        store.fetch_file("0" * 64, tmp_path / "x")


def test_the_hash_of_a_tree_does_not_depend_on_order(store, tree):
    manifest = store.put_tree(tree)
    assert manifest_sha256(manifest) == manifest_sha256(dict(reversed(list(manifest.items()))))
    changed = {**manifest, "a.txt": {"sha256": "0" * 64, "size": 5}}
    assert manifest_sha256(changed) != manifest_sha256(manifest)
