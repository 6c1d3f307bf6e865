from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import PlatformError
from mr_platform.gateways import correlation_cache
from mr_platform.gateways.correlation_cache import CorrelationCache

KEY, OTHER, THIRD = ("a" * 64, "b" * 64, "c" * 64)
FRAMES = {
    "pairs": pl.DataFrame({"first": [1, 2], "rho": [0.1, float("nan")]}),
    "constant": pl.DataFrame(schema={"strategy": pl.Int64()}),
}


def made(frames: dict[str, pl.DataFrame] = FRAMES) -> dict[str, pl.DataFrame]:
    return frames


def never() -> dict[str, pl.DataFrame]:
    raise AssertionError("was kept, yet is made again")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def used_at(folder: Path, key: str, seconds: float) -> None:
    os.utime(folder / key / "digests.json", (seconds, seconds))


def test_what_was_made_is_kept(tmp_path: Path) -> None:
    cache = CorrelationCache(tmp_path / "new" / "folder")
    first = cache.frames(KEY, made)
    assert (first.source, first.fault) == ("made", "")
    again = CorrelationCache(cache.folder).frames(KEY, never)
    assert again.source == "kept"
    for name, frame in FRAMES.items():
        assert_frame_equal(again.frames[name], frame)
    assert names(cache.folder) == [KEY]
    assert cache.frames(OTHER, made).source == "made"


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "pairs.parquet").write_bytes(b"PAR1"),
        lambda entry: (entry / "pairs.parquet").unlink(),
        lambda entry: (entry / "digests.json").unlink(),
        lambda entry: (entry / "digests.json").write_text("{"),
        lambda entry: (entry / "digests.json").write_text("[1]"),
        lambda entry: shutil.rmtree(entry) or entry.write_text("no folder"),
    ],
    ids=["content", "file gone", "digests gone", "no JSON", "other JSON", "no folder"],
)
def test_a_damaged_entry_is_told_and_made_anew(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    cache = CorrelationCache(tmp_path)
    cache.frames(KEY, made)
    damage(tmp_path / KEY)
    found = cache.frames(KEY, made)
    assert found.source == "made anew"
    assert "was damaged" in found.fault
    assert cache.frames(KEY, never).source == "kept"
    assert names(tmp_path) == [KEY]


def test_a_fault_while_making_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        CorrelationCache(tmp_path).frames(KEY, never)
    assert names(tmp_path) == []


def test_a_fault_while_writing_leaves_nothing_and_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(correlation_cache, "_digest", full)
    found = CorrelationCache(tmp_path).frames(KEY, made)
    assert found.source == "made"
    assert "could not be kept: No space left" in found.fault
    assert found.frames == FRAMES
    assert names(tmp_path) == []


def test_both_faults_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CorrelationCache(tmp_path)
    cache.frames(KEY, made)
    (tmp_path / KEY / "digests.json").unlink()

    def refused(*_: object, **__: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(correlation_cache.tempfile, "mkdtemp", refused)
    found = cache.frames(KEY, made)
    assert "was damaged" in found.fault
    assert "Read-only file system" in found.fault


def test_an_entry_that_another_process_wrote_meanwhile_stays(tmp_path: Path) -> None:
    cache = CorrelationCache(tmp_path)

    def beaten() -> dict[str, pl.DataFrame]:
        cache.frames(KEY, made)
        return FRAMES

    assert cache.frames(KEY, beaten).source == "made"
    assert names(tmp_path) == [KEY]
    assert cache.frames(KEY, never).source == "kept"


def test_an_entry_that_vanishes_while_it_is_read_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CorrelationCache(tmp_path)
    cache.frames(KEY, made)
    real = correlation_cache._digest

    def vanishing(path: Path) -> str:
        shutil.rmtree(tmp_path / KEY, ignore_errors=True)
        monkeypatch.setattr(correlation_cache, "_digest", real)
        return real(path)

    monkeypatch.setattr(correlation_cache, "_digest", vanishing)
    found = cache.frames(KEY, made)
    assert (found.source, found.fault) == ("made", "")


def test_entries_not_used_for_longest_are_removed(tmp_path: Path) -> None:
    cache = CorrelationCache(tmp_path)
    cache.frames(KEY, made)
    size = sum(path.stat().st_size for path in (tmp_path / KEY).iterdir())
    bounded = CorrelationCache(tmp_path, most_bytes=2 * size)
    bounded.frames(OTHER, made)
    used_at(tmp_path, KEY, 1_000.0)
    used_at(tmp_path, OTHER, 2_000.0)
    assert bounded.frames(KEY, never).source == "kept"  # used now, so the other is older
    bounded.frames(THIRD, made)
    assert names(tmp_path) == [KEY, THIRD]


def test_the_newest_entry_stays_however_large(tmp_path: Path) -> None:
    cache = CorrelationCache(tmp_path, most_bytes=1)
    cache.frames(KEY, made)
    cache.frames(OTHER, made)
    assert names(tmp_path) == [OTHER]


def test_what_was_abandoned_is_removed_after_a_day(tmp_path: Path) -> None:
    for name, age in (("old", 2 * 86_400.0), ("new", 0.0)):
        folder = tmp_path / f".unfinished-{name}"
        folder.mkdir()
        at = folder.stat().st_mtime - age
        os.utime(folder, (at, at))
    (tmp_path / "unrelated.txt").write_text("stays")
    CorrelationCache(tmp_path).frames(KEY, made)
    assert names(tmp_path) == [".unfinished-new", KEY, "unrelated.txt"]


@pytest.mark.parametrize("key", ["", "../x", "A" * 64, "ab"])
def test_a_key_that_is_no_digest_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="no hex digest"):
        CorrelationCache(tmp_path).frames(key, never)


def test_a_frame_whose_name_is_no_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="no word"):
        CorrelationCache(tmp_path).frames(KEY, lambda: {"../x": FRAMES["pairs"]})
