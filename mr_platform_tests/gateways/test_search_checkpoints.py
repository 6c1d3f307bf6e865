"""Checkpoints of searches as files: whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.gateways.storage_faults import StorageError

NAME = "sensex-037-genetic-improved-7-0123456789abcdef"


@pytest.fixture
def kept(tmp_path: Path) -> SearchCheckpoints:
    return SearchCheckpoints(tmp_path / "checkpoints")


def test_a_search_without_a_checkpoint_has_none(kept: SearchCheckpoints) -> None:
    assert kept.read(NAME) is None
    assert kept.names() == []
    kept.remove(NAME)
    assert not kept.folder.exists()


def test_the_newest_state_is_read_until_it_is_removed(kept: SearchCheckpoints) -> None:
    kept.write(NAME, b"first")
    kept.write(NAME, bytes(range(256)))
    kept.write("other", b"other")

    assert kept.read(NAME) == bytes(range(256))
    assert kept.names() == ["other", NAME]
    kept.remove(NAME)
    assert kept.read(NAME) is None
    assert kept.names() == ["other"]


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "no room"), KeyboardInterrupt()])
def test_a_write_that_is_cut_off_leaves_the_old_state_whole(
    fault: BaseException, kept: SearchCheckpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write(NAME, b"first")

    def failing(descriptor: int) -> None:
        raise fault

    monkeypatch.setattr(os, "fsync", failing)
    told = StorageError if isinstance(fault, OSError) else KeyboardInterrupt
    with pytest.raises(told):
        kept.write(NAME, b"second")

    assert kept.read(NAME) == b"first"
    assert [path.name for path in kept.folder.iterdir()] == [f"{NAME}.checkpoint"]


def test_a_file_that_cannot_be_read_is_told(kept: SearchCheckpoints) -> None:
    (kept.folder / f"{NAME}.checkpoint").mkdir(parents=True)

    with pytest.raises(StorageError):
        kept.read(NAME)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "a b"])
def test_a_name_cannot_lead_out_of_the_folder(name: str, kept: SearchCheckpoints) -> None:
    for call in (kept.read, kept.remove, lambda name: kept.write(name, b"x")):
        with pytest.raises(ValueError, match="no name of a checkpoint"):
            call(name)
