from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways import landing_archives
from mr_platform.gateways.landing_archives import archive_stem, unpack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out" / "inner"
    made.mkdir(parents=True)
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make_tar(path: Path, *members: tuple[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type = kind
    info.linkname = target
    return info


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("day.tar.gz", "day"),
        ("Day.TGZ", "Day"),
        ("day.tar", "day"),
        ("a.b.zip", "a.b"),
        ("day.csv.gz", None),
        ("day.csv", None),
        (".zip", None),
    ],
)
def test_archives_are_known_by_their_names(name: str, stem: str | None) -> None:
    assert archive_stem(name) == stem


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar", "w")]
)
def test_tar_files_are_unpacked(tmp_path: Path, folder: Path, name: str, mode: str) -> None:
    archive = make_tar(tmp_path / name, ("x/a:b.csv", b"1"), ("./c.csv", b"2"), mode=mode)

    assert unpack(archive, folder) == 2
    assert files_of(folder) == {"x/a:b.csv": b"1", "c.csv": b"2"}


def test_zip_files_are_unpacked(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.mkdir("x")
        made.writestr("x/a.csv", "1" * 100)

    assert unpack(tmp_path / "a.zip", folder) == 1
    assert files_of(folder) == {"x/a.csv": b"1" * 100}


@pytest.mark.parametrize(
    "name", ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv", "..\\evil.csv"]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_members_that_point_outside_are_refused(
    tmp_path: Path, folder: Path, name: str, kind: str
) -> None:
    archive = tmp_path / f"a.{kind}"
    if kind == "tar":
        make_tar(archive, (name, b"evil"), mode="w")
    else:
        with zipfile.ZipFile(archive, "w") as made:
            made.writestr(name, "evil")

    with pytest.raises(InputFileError, match="points outside the archive"):
        unpack(archive, folder)

    assert not list(tmp_path.rglob("evil.csv"))


@pytest.mark.parametrize(
    "member",
    [
        link(tarfile.SYMTYPE, "/etc/passwd"),
        link(tarfile.LNKTYPE, "a.csv"),
        link(tarfile.CHRTYPE, ""),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(
    tmp_path: Path, folder: Path, member: tarfile.TarInfo
) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("a.csv", b"1"), ("b.csv", member))

    with pytest.raises(InputFileError, match=r"member b\.csv is a link or a device"):
        unpack(archive, folder)


def test_links_in_a_zip_are_refused(tmp_path: Path, folder: Path) -> None:
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(info, "/etc/passwd")

    with pytest.raises(InputFileError, match="is a link or a device"):
        unpack(tmp_path / "a.zip", folder)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.zip", "a.tar"])
@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_one_clear_error(
    tmp_path: Path, folder: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputFileError, match=f"{name}: the archive can't be unpacked"):
        unpack(tmp_path / name, folder)


@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
def test_a_truncated_archive_is_one_clear_error(tmp_path: Path, folder: Path, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    content = bytes(range(256)) * 400
    if suffix == "zip":
        with zipfile.ZipFile(whole, "w") as made:
            made.writestr("a.csv", content)
    else:
        make_tar(whole, ("a.csv", content), ("b.csv", content[::-1]))
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    with pytest.raises(InputFileError, match="can't be unpacked"):
        unpack(cut, folder)


def test_a_member_that_occurs_twice_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", ("a.csv", b"1"), ("./a.csv", b"2"), mode="w")
    with pytest.raises(InputFileError, match="twice"):
        unpack(archive, folder)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("a.csv", b"\0" * 5_000), ("b.csv", b"\0" * 5_000))
    monkeypatch.setattr(landing_archives, "MAX_UNPACKED_BYTES", 9_000)
    with pytest.raises(InputFileError, match="Unpack it by hand"):
        unpack(archive, folder)


def test_an_archive_of_too_many_files_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("a.csv", b"1"), ("b.csv", b"2"))
    monkeypatch.setattr(landing_archives, "MAX_MEMBERS", 1)
    with pytest.raises(InputFileError, match="more than 1 files"):
        unpack(archive, folder)
