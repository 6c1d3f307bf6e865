from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from mr_platform.errors import InputFileError, PlatformError
from mr_platform.gateways.landing import LandedFile, LandingZone, snapshot_of, stable_files

OLD = 1_700_000_000


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


def written(path: Path, content: str = "rows") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (OLD, OLD))
    return path


def landed(zone: LandingZone) -> dict[str, str]:
    return {file.relative: file.path.read_text() for file in zone.list_files()}


def test_a_file_is_copied_with_its_time_of_change(zone: LandingZone, tmp_path: Path) -> None:
    source = written(tmp_path / "NIFTY.csv")

    [placed] = zone.place([source])

    assert (placed.source, placed.relative, placed.status) == (str(source), "NIFTY.csv", "placed")
    [file] = zone.list_files()
    assert file == LandedFile(zone.landing_dir / "NIFTY.csv", "NIFTY.csv", 4, OLD * 10**9)
    assert file.path.read_text() == "rows"
    assert source.exists()


def test_the_same_content_is_not_copied_twice(zone: LandingZone, tmp_path: Path) -> None:
    source = written(tmp_path / "NIFTY.csv")
    zone.place([source])

    [again] = zone.place([source])

    assert (again.relative, again.status) == ("NIFTY.csv", "already there")
    assert landed(zone) == {"NIFTY.csv": "rows"}


def test_another_content_of_the_same_name_is_kept_beside_it_once(
    zone: LandingZone, tmp_path: Path
) -> None:
    first = written(tmp_path / "a" / "NIFTY.csv", "first")
    second = written(tmp_path / "b" / "NIFTY.csv", "other")
    third = written(tmp_path / "c" / "NIFTY.csv", "third")

    fates = [zone.place([source])[0] for source in (first, second, third, second)]

    assert [(fate.relative, fate.status) for fate in fates] == [
        ("NIFTY.csv", "placed"),
        ("again-2/NIFTY.csv", "renamed"),
        ("again-3/NIFTY.csv", "renamed"),
        ("again-2/NIFTY.csv", "already there"),
    ]
    assert landed(zone) == {
        "NIFTY.csv": "first",
        "again-2/NIFTY.csv": "other",
        "again-3/NIFTY.csv": "third",
    }


def test_a_folder_keeps_its_name_and_sub_folders(zone: LandingZone, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    written(folder / "NIFTY" / "23MAY2019" / "NIFTY_23-05-2019_09:15.csv", "stale")
    written(folder / "NIFTY" / "30MAY2019" / "NIFTY_23-05-2019_09:15.csv", "stale")
    written(folder / "readme.txt")

    placed = zone.place([folder])

    assert [fate.status for fate in placed] == ["placed"] * 3
    # the same bytes under another path are another input: the path tells the expiry
    assert sorted(landed(zone)) == [
        "index/NIFTY/23MAY2019/NIFTY_23-05-2019_09:15.csv",
        "index/NIFTY/30MAY2019/NIFTY_23-05-2019_09:15.csv",
        "index/readme.txt",
    ]


def test_a_folder_named_by_a_dot_keeps_its_real_name(
    zone: LandingZone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "inbox" / "a.csv")
    monkeypatch.chdir(tmp_path / "inbox")
    assert [fate.relative for fate in zone.place([Path()])] == ["inbox/a.csv"]


def test_unfinished_hidden_and_database_files_are_left_out(
    zone: LandingZone, tmp_path: Path
) -> None:
    folder = tmp_path / "inbox"
    for name in (
        "a.csv",
        "a.csv.part",
        "b.tmp",
        ".hidden",
        ".git/config",
        "_ground_truth/a.parquet",
        "c.sqlite",
        "d.csv~",
    ):
        written(folder / name)
        written(zone.landing_dir / "seen" / name)

    assert [fate.relative for fate in zone.place([folder])] == ["inbox/a.csv"]
    assert [file.relative for file in zone.list_files()] == ["inbox/a.csv", "seen/a.csv"]


def test_books_of_strategies_are_left_out(zone: LandingZone) -> None:
    written(zone.landing_dir / "strategy_books" / "sensex" / "july.csv")
    written(zone.landing_dir / "strategy_books" / "alone.csv")
    written(zone.landing_dir / "strategy_books.csv")
    written(zone.landing_dir / "sub" / "strategy_books" / "a.csv")

    assert [file.relative for file in zone.list_files()] == [
        "strategy_books.csv",
        "sub/strategy_books/a.csv",
    ]
    everything = LandingZone(zone.landing_dir, left_out=None)
    assert len(everything.list_files()) == 4


def test_links_are_followed_only_inside_their_folder(zone: LandingZone, tmp_path: Path) -> None:
    secret = written(tmp_path / "secret.csv")
    folder = tmp_path / "inbox"
    real = written(folder / "real.csv", "inside")
    (folder / "outside.csv").symlink_to(secret)
    (folder / "inside.csv").symlink_to(real)
    (folder / "loop").symlink_to(folder)
    (zone.landing_dir).mkdir()
    (zone.landing_dir / "dropped.csv").symlink_to(secret)
    (zone.landing_dir / "dangling.csv").symlink_to(zone.landing_dir / "nothing.csv")

    fates = {Path(fate.source).name: fate for fate in zone.place([folder])}

    assert fates["outside.csv"].status == "skipped"
    assert fates["outside.csv"].reason == "a link that leads outside the folder"
    assert landed(zone) == {"inbox/inside.csv": "inside", "inbox/real.csv": "inside"}


def test_a_link_named_by_the_user_is_followed(zone: LandingZone, tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(written(tmp_path / "real.csv"))

    zone.place([link])

    assert landed(zone) == {"link.csv": "rows"}
    assert not (zone.landing_dir / "link.csv").is_symlink()


def test_something_that_is_no_file_is_skipped_and_told(zone: LandingZone, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")

    [fate] = zone.place([tmp_path / "pipe.csv"])

    assert (fate.relative, fate.status, fate.reason) == (None, "skipped", "no regular file")


def test_files_already_in_the_landing_folder_stay_where_they_are(zone: LandingZone) -> None:
    path = written(zone.landing_dir / "sub" / "a.csv")

    assert [fate.status for fate in zone.place([path, path.parent])] == ["already there"] * 2
    assert landed(zone) == {"sub/a.csv": "rows"}


def test_nothing_is_placed_when_a_source_does_not_exist(zone: LandingZone, tmp_path: Path) -> None:
    good = written(tmp_path / "good.csv")

    with pytest.raises(InputFileError, match=r"no such file or folder: .*absent\.csv, .*gone"):
        zone.place([good, tmp_path / "absent.csv", tmp_path / "gone"])

    assert landed(zone) == {}


def test_an_archive_becomes_a_folder_of_its_name(zone: LandingZone, tmp_path: Path) -> None:
    inner = written(tmp_path / "x.csv")
    archive = tmp_path / "inbox" / "day.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(inner, "index/NIFTY_09:15.csv")
        tar.add(inner, ".DS_Store")

    [fate] = zone.place([archive])
    [in_folder] = zone.place([archive.parent])
    [again] = zone.place([archive])

    assert fate.relative == "day/index/NIFTY_09:15.csv"
    assert fate.source == f"{archive}!index/NIFTY_09:15.csv"
    assert in_folder.relative == "inbox/day/index/NIFTY_09:15.csv"
    assert again.status == "already there"
    assert [path.name for path in zone.landing_dir.iterdir()] != []
    assert not list(zone.landing_dir.glob(".unpacking*"))


def test_a_broken_archive_is_told_after_all_other_files_are_placed(
    zone: LandingZone, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(b"no archive")

    with pytest.raises(InputFileError, match=r"broken\.tar\.gz: .*; 1 other files were placed"):
        zone.place([broken, written(tmp_path / "good.csv")])

    assert landed(zone) == {"good.csv": "rows"}
    assert not list(zone.landing_dir.glob(".unpacking*"))


def test_the_real_archive_of_2019_lands_whole(zone: LandingZone, real_data: Path) -> None:
    source = real_data / "options/raw/rohmhatre_2019_15min/legacy_csv_2019-05-23.tar.gz"

    placed = zone.place([source])

    files = zone.list_files()
    assert len(placed) == len(files) == 280
    assert {fate.status for fate in placed} == {"placed"}
    assert len({file.relative for file in files}) == 280
    assert all(file.relative.startswith("legacy_csv_2019-05-23/index/") for file in files)
    assert sum(file.size == 215 for file in files) > 0


def test_a_landing_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    zone = LandingZone(written(tmp_path / "landing"))
    assert zone.list_files() == []
    with pytest.raises(PlatformError, match="a file stands where a folder should be"):
        zone.place([written(tmp_path / "a.csv")])


def test_names_that_are_not_text_get_a_name_that_is(zone: LandingZone) -> None:
    zone.landing_dir.mkdir()
    path = Path(os.fsdecode(os.fsencode(zone.landing_dir) + b"/a\xff.csv"))
    written(path)

    [file] = zone.list_files()

    assert file.relative == "a\\xff.csv"
    assert file.path.read_text() == "rows"


def test_a_landing_folder_that_does_not_exist_is_empty(
    zone: LandingZone, caplog: pytest.LogCaptureFixture
) -> None:
    assert zone.list_files() == []
    assert caplog.messages == []


FILE = LandedFile(Path("a.csv"), "a.csv", 10, 1_000 * 10**9)


@pytest.mark.parametrize(
    ("previous", "now", "stable"),
    [
        ({}, 1_002.9, False),  # young, never seen
        ({}, 1_003.0, True),  # as old as the settle time
        ({"a.csv": (10, 1_000 * 10**9)}, 1_000.1, True),  # as in the previous look
        ({"a.csv": [10, 1_000 * 10**9]}, 1_000.1, True),  # the same, read from JSON
        ({"a.csv": (9, 1_000 * 10**9)}, 1_000.1, False),  # grows
        ({"a.csv": (10, 999 * 10**9)}, 1_000.1, False),  # rewritten in place
        ({"b.csv": (10, 1_000 * 10**9)}, 1_000.1, False),
        ({}, 900.0, False),  # a clock that runs ahead: changed in the future
    ],
)
def test_a_file_is_complete_when_it_rests(previous, now: float, stable: bool) -> None:
    assert stable_files([FILE], previous, 3, now) == ([FILE] if stable else [])


def test_a_snapshot_makes_the_next_look_at_the_same_files_stable() -> None:
    assert snapshot_of([FILE]) == {"a.csv": (10, 1_000 * 10**9)}
    assert stable_files([FILE], snapshot_of([FILE]), 1e9, 0) == [FILE]
