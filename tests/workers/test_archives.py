"""Archives from strangers: nothing outside the folder is touched, bombs are refused early and cheaply."""

import io
import stat
import struct
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest

from workers import archives
from workers.errors import InvalidInput, LimitReached

UNSAFE = [
    "../evil",
    "a/../../evil",
    "/etc/evil",
    "..\\evil",
    "C:evil",
    "a\0b",
    "%2e%2e/evil",
    "%252e%252e/evil",
    "a/" * 40 + "b",
]


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for header, content in members:
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


def header(name: str, type: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, link
    return info


@pytest.mark.parametrize(("mode", "suffix"), [("w", "tar"), ("w:gz", "tar.gz")])
def test_tar_is_unpacked(tmp_path, mode, suffix):
    archive = tar_of(
        tmp_path / f"m.{suffix}", (header("model/config.json"), b"{}"), (header("model/._x"), b"junk"), mode=mode
    )
    written = archives.unpack(archive, tmp_path / "out")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["out/model/config.json"]
    assert written[0].read_bytes() == b"{}"


def test_zip_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/", "")
        archive.writestr("model/数据.txt", "问题" * 1000)
    written = archives.unpack(tmp_path / "m.zip", tmp_path / "out")
    assert written[0].read_text() == "问题" * 1000


def test_several_entries_of_zeros_below_the_floor_are_fine(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20 << 20))
    assert archives.unpack(tmp_path / "m.zip", tmp_path / "out")[0].stat().st_size == 20 << 20


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused(tmp_path, name):
    with pytest.raises(InvalidInput) as caught:
        archives.safe_name(name)
    assert caught.value.code == "archive_unsafe_name"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/aifs-evil"])
def test_slip_writes_nothing(tmp_path, name):
    good = (header("good.txt"), b"good")
    tar_of(tmp_path / "m.tar", good, (header(name), b"evil"))
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("good.txt", "good")
        archive.writestr(name, "evil")
    for file in ("m.tar", "m.zip"):
        with pytest.raises(InvalidInput):
            archives.unpack(tmp_path / file, tmp_path / "deep" / "out")
        assert list((tmp_path / "deep" / "out").iterdir()) == []
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/aifs-evil").exists()


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, type):
    archive = tar_of(tmp_path / "m.tar", (header("model/link", type, "/etc/passwd"), b""))
    with pytest.raises(InvalidInput) as caught:
        archives.unpack(archive, tmp_path / "out")
    assert caught.value.code == "archive_link"


def test_symlink_in_a_zip_is_refused(tmp_path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InvalidInput) as caught:
        archives.unpack(tmp_path / "m.zip", tmp_path / "out")
    assert caught.value.code == "archive_link"


def test_repeated_entry_is_refused(tmp_path):
    archive = tar_of(tmp_path / "m.tar", (header("a"), b"1"), (header("a"), b"2"))
    with pytest.raises(InvalidInput) as caught:
        archives.unpack(archive, tmp_path / "out")
    assert caught.value.code == "archive_repeated"


@pytest.mark.parametrize("content", [b"", b"just text", b"\x1f\x8bnot gzip at all", b"PK\x03\x04 cut short"])
def test_damaged_and_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(InvalidInput):
        archives.unpack(tmp_path / "m.zip", tmp_path / "out")


def test_truncated_gzip_leaves_nothing(tmp_path):
    archive = tar_of(
        tmp_path / "m.tar.gz", (header("a"), b"1" * 5000), (header("b"), bytes(range(256)) * 4000), mode="w:gz"
    )
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(InvalidInput) as caught:
        archives.unpack(archive, tmp_path / "out")
    assert caught.value.code == "archive_damaged"
    assert list((tmp_path / "out").iterdir()) == []


def bomb_zip(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w", force_zip64=True) as entry,
    ):
        for _ in range(300):
            entry.write(bytes(1 << 20))


def lying_zip(path: Path) -> None:
    """A bomb whose directory claims a small size."""
    bomb_zip(path)
    data = path.read_bytes()
    real, lie = struct.pack("<I", 300 << 20), struct.pack("<I", 1000)
    path.write_bytes(data.replace(real, lie))


def bomb_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for number in range(30):
            entry = header(f"zeros-{number}")
            entry.size = 10 << 20
            archive.addfile(entry, io.BytesIO(bytes(10 << 20)))


def many_in_zip(path: Path) -> None:
    """The end record of a zip with a million entries, without the work of writing them."""
    directory = b"".join(struct.pack("<4s38xI", b"PK\x01\x02", 0) for _ in range(1_000_000))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    path.write_bytes(b"PK\x03\x04" + directory + end)


def many_in_tar(path: Path) -> None:
    path.write_bytes(b"".join(header(f"file-{number}").tobuf() for number in range(30_000)) + bytes(1024))


def long_header(path: Path) -> None:
    """An extended header of 200 MB, which a naive reader takes into memory."""
    entry = header("pax", tarfile.XHDTYPE)
    entry.size = 200 << 20
    with path.open("wb") as file:
        file.write(entry.tobuf())
        file.truncate(512 + (200 << 20) + 1024)


@pytest.mark.parametrize("bomb", [bomb_zip, lying_zip, bomb_tar, many_in_zip, many_in_tar, long_header])
def test_bombs_are_refused_within_two_seconds_and_64_mb(tmp_path, bomb):
    bomb(tmp_path / "bomb")
    code = f"""
        import resource, time
        from pathlib import Path
        from workers import archives
        from workers.errors import AifsError
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            archives.unpack(Path({str(tmp_path / "bomb")!r}), Path({str(tmp_path / "out")!r}))
        except AifsError as error:
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(error.code, time.process_time(), (after - before) // 1024)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    code_name, seconds, grown_mib = ran.stdout.split()
    assert code_name in {"archive_bomb", "archive_damaged"}
    assert float(seconds) < 2
    assert int(grown_mib) < 64
    assert not any((tmp_path / "out").iterdir())


def test_disk_room_is_looked_at(tmp_path):
    archive = tar_of(tmp_path / "m.tar", (header("a"), bytes(5 << 20)))
    with pytest.raises(LimitReached) as caught:
        archives.unpack(archive, tmp_path / "out", archives.Limits(total_bytes=1 << 20))
    assert caught.value.code == "archive_too_large"
