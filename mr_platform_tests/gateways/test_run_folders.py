"""Folders of runs: all or nothing, never over another, and read back byte for byte."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways import run_folders as gateway
from mr_platform.gateways.run_folders import (
    RunFolderError,
    read_run_folder,
    run_folders,
    write_run_folder,
)
from mr_platform.gateways.storage_faults import StorageError

NAME = "run_20260726_163251"
FILES = {"strategy_metrics.csv": b",ROI\n", "a_1.png": b"\x89PNG\x00\xff", "error_log.txt": b""}


def test_what_is_written_is_read(tmp_path):
    folder = write_run_folder(tmp_path / "runs", NAME, FILES)

    assert folder == tmp_path / "runs" / NAME
    assert read_run_folder(folder) == FILES
    assert run_folders(tmp_path / "runs") == [folder]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [NAME]


def test_other_files_and_folders_are_left_aside(tmp_path):
    folder = write_run_folder(tmp_path, NAME, FILES)
    (folder / "checkpoint_ga.pkl").write_bytes(b"\x80")
    (folder / "zone.txt").mkdir()
    (tmp_path / "run_x").mkdir()
    (tmp_path / "run_20260726_163252").write_text("a file")

    assert read_run_folder(folder) == FILES
    assert run_folders(tmp_path) == [folder]
    assert run_folders(tmp_path / "none") == []


@pytest.mark.parametrize("there", ["run", "empty folder", "file", "dangling link"])
def test_a_folder_that_is_there_is_refused_and_left_alone(tmp_path, there):
    folder = tmp_path / NAME
    if there == "run":
        write_run_folder(tmp_path, NAME, FILES)
    elif there == "empty folder":
        folder.mkdir()
    elif there == "file":
        folder.write_text("mine")
    else:
        folder.symlink_to(tmp_path / "nowhere")

    with pytest.raises(RunFolderError, match="is there already"):
        write_run_folder(tmp_path, NAME, {"other.txt": b"x"})

    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert not (folder / "other.txt").exists()


def test_a_fault_halfway_leaves_nothing(tmp_path, monkeypatch):
    written = []

    def full(path: Path, content: bytes) -> None:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path.write_bytes(content))

    monkeypatch.setattr(gateway, "_write", full)
    with pytest.raises(StorageError, match="no room"):
        write_run_folder(tmp_path, NAME, FILES)

    assert len(written) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_quicker_writer_wins(tmp_path, monkeypatch):
    to_disk = gateway._to_disk

    def overtaken(folder: Path) -> None:
        to_disk(folder)
        (tmp_path / NAME).mkdir(exist_ok=True)
        (tmp_path / NAME / "theirs.txt").write_text("theirs")

    monkeypatch.setattr(gateway, "_to_disk", overtaken)
    with pytest.raises(RunFolderError, match="is there already"):
        write_run_folder(tmp_path, NAME, FILES)

    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert read_run_folder(tmp_path / NAME) == {"theirs.txt": b"theirs"}


def test_a_rename_that_fails_for_another_reason(tmp_path, monkeypatch):
    def refused(self: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(StorageError):
        write_run_folder(tmp_path, NAME, FILES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("20260726_163251", FILES),
        ("run_2026/../x", FILES),
        (NAME, {}),
        (NAME, {"../x.txt": b""}),
        (NAME, {"SENSEX 930-1030 SL7%.txt": b""}),
        (NAME, {".hidden.txt": b""}),
    ],
)
def test_names_that_are_none(tmp_path, name, files):
    with pytest.raises(RunFolderError):
        write_run_folder(tmp_path, name, files)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(InputFileError, match="does not exist"):
        read_run_folder(tmp_path / NAME)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputFileError, match="not a folder"):
        read_run_folder(tmp_path / "file")
    folder = write_run_folder(tmp_path, NAME, FILES)
    monkeypatch.setattr(gateway, "MOST_BYTES", 3)
    with pytest.raises(InputFileError, match="larger"):
        read_run_folder(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights(tmp_path):
    folder = write_run_folder(tmp_path, NAME, FILES)
    folder.chmod(0)
    try:
        with pytest.raises(StorageError):
            read_run_folder(folder)
    finally:
        folder.chmod(0o755)
