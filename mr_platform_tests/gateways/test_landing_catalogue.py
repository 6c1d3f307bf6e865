from __future__ import annotations

import datetime as dt
import hashlib
import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

import pytest

from mr_platform.errors import InputFileError, PlatformError
from mr_platform.gateways.landing import (
    FaultyFile,
    FileInspection,
    LandedFile,
    LandingCatalogue,
    LandingZone,
)
from mr_platform.gateways.storage_faults import StorageError
from mr_platform.trading_calendar import PartitionKey

NIFTY = PartitionKey(dt.date(2025, 8, 29), "NIFTY")
BANKNIFTY = PartitionKey(dt.date(2025, 8, 29), "BANKNIFTY")
SPAWN = multiprocessing.get_context("spawn")


class Inspector:
    """Reads files of lines ``date|symbol rows``; remembers what it opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, file: LandedFile) -> FileInspection:
        self.opened.append(file.relative)
        return inspected(file)


def inspected(file: LandedFile) -> FileInspection:
    content = file.path.read_bytes()
    if content.startswith(b"broken"):
        raise InputFileError("was cut off", place=file.relative)
    lines = [line.split() for line in content.decode().splitlines()]
    facts = {"instant": file.path.stem} if file.path.suffix == ".page" else {}
    return FileInspection(
        dialect="lines",
        sha256=hashlib.sha256(content).hexdigest(),
        rows=sum(int(rows) for _, rows in lines),
        partitions={PartitionKey.parse(key): int(rows) for key, rows in lines},
        name_facts=facts,
    )


@pytest.fixture
def catalogue(tmp_path: Path) -> LandingCatalogue:
    zone = LandingZone(tmp_path / "landing")
    zone.landing_dir.mkdir()
    return LandingCatalogue(tmp_path / "landing_catalogue.sqlite", zone)


def drop(catalogue: LandingCatalogue, name: str, *lines: str) -> Path:
    path = catalogue.zone.landing_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path


def names(catalogue: LandingCatalogue, key: PartitionKey) -> list[str]:
    return [file.relative for file in catalogue.files_for(key)]


def test_new_files_are_inspected_and_found_by_partition(catalogue: LandingCatalogue) -> None:
    path = drop(catalogue, "sub/both:1.csv", f"{NIFTY} 5", f"{BANKNIFTY} 7")
    drop(catalogue, "nifty.csv", f"{NIFTY} 2")

    report = catalogue.refresh(Inspector())

    assert report.new == ("nifty.csv", "sub/both:1.csv")
    assert (report.changed, report.vanished, report.faulty, report.remaining) == ((), (), (), ())
    assert names(catalogue, NIFTY) == ["nifty.csv", "sub/both:1.csv"]
    [file] = catalogue.files_for(BANKNIFTY)
    assert (file.path, file.rows, file.dialect) == (path, 7, "lines")
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (file.size, file.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    inputs = catalogue.partitions()
    assert list(inputs) == [BANKNIFTY, NIFTY]
    assert (inputs[NIFTY].files, inputs[NIFTY].rows) == (2, 7)


def test_an_unchanged_file_is_never_opened_again(catalogue: LandingCatalogue) -> None:
    drop(catalogue, "a.csv", f"{NIFTY} 5")
    drop(catalogue, "broken.csv", "broken")
    catalogue.refresh(Inspector())
    second = Inspector()

    report = LandingCatalogue(catalogue.path, catalogue.zone).refresh(second)

    assert second.opened == []
    assert report.new == report.changed == report.faulty == ()


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_rewritten_file_is_inspected_again(catalogue: LandingCatalogue, change: str) -> None:
    path = drop(catalogue, "a.csv", f"{NIFTY} 5")
    catalogue.refresh(Inspector())
    facts = path.stat()
    if change == "size":
        path.write_text(f"{BANKNIFTY} 66")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    else:
        path.write_text(f"{NIFTY} 6")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))

    report = catalogue.refresh(Inspector())

    assert (report.new, report.changed) == ((), ("a.csv",))
    expected = {BANKNIFTY: 66} if change == "size" else {NIFTY: 6}
    assert {key: inputs.rows for key, inputs in catalogue.partitions().items()} == expected


def test_a_vanished_file_is_forgotten(catalogue: LandingCatalogue) -> None:
    drop(catalogue, "a.csv", f"{NIFTY} 5")
    path = drop(catalogue, "b.csv", f"{NIFTY} 6")
    catalogue.refresh(Inspector())
    path.unlink()

    report = catalogue.refresh(Inspector())

    assert report.vanished == ("b.csv",)
    assert names(catalogue, NIFTY) == ["a.csv"]
    assert catalogue.partitions()[NIFTY].rows == 5


def test_a_faulty_file_is_remembered_with_its_fault_and_feeds_nothing(
    catalogue: LandingCatalogue,
) -> None:
    drop(catalogue, "a.csv", f"{NIFTY} 5")
    broken = drop(catalogue, "broken.csv", "broken")
    before = dt.datetime.now(dt.UTC)

    report = catalogue.refresh(Inspector())

    assert report.faulty == ("broken.csv",)
    [faulty] = catalogue.faulty_files()
    assert faulty == FaultyFile("broken.csv", "broken.csv: was cut off", faulty.seen_at)
    assert before <= faulty.seen_at <= dt.datetime.now(dt.UTC)
    broken.write_text(f"{NIFTY} 1")
    assert catalogue.refresh(Inspector()).changed == ("broken.csv",)
    assert catalogue.faulty_files() == []
    assert catalogue.partitions()[NIFTY].rows == 6


def test_a_file_told_faulty_by_its_inspection_feeds_nothing(catalogue: LandingCatalogue) -> None:
    drop(catalogue, "a.csv", f"{NIFTY} 5")

    catalogue.refresh(lambda _: FileInspection(None, "0", 1, {NIFTY: 1}, fault="unknown header"))

    assert [faulty.fault for faulty in catalogue.faulty_files()] == ["unknown header"]
    assert catalogue.files_for(NIFTY) == []
    assert catalogue.partitions() == {}


def test_a_passing_fault_of_the_disk_is_not_held_against_the_file(
    catalogue: LandingCatalogue,
) -> None:
    drop(catalogue, "a.csv", f"{NIFTY} 5")

    def fails(_: LandedFile) -> FileInspection:
        raise StorageError("storage failed", permanent=False)

    with pytest.raises(StorageError):
        catalogue.refresh(fails)
    assert catalogue.refresh(Inspector()).new == ("a.csv",)


def test_the_same_content_counts_once_whatever_its_name(catalogue: LandingCatalogue) -> None:
    drop(catalogue, "b.csv", f"{NIFTY} 5")
    drop(catalogue, "a/copy.csv", f"{NIFTY} 5")

    catalogue.refresh(Inspector())

    assert names(catalogue, NIFTY) == ["a/copy.csv"]
    assert (catalogue.partitions()[NIFTY].files, catalogue.partitions()[NIFTY].rows) == (1, 5)
    [left_aside] = catalogue.duplicate_files()
    assert (left_aside.relative, left_aside.same_as) == ("b.csv", "a/copy.csv")


def test_the_same_content_under_names_that_tell_different_facts_counts_twice(
    catalogue: LandingCatalogue,
) -> None:
    for minute in ("09:15", "09:30"):
        drop(catalogue, f"{minute}.page", f"{NIFTY} 5")
    drop(catalogue, "again-2/09:15.page", f"{NIFTY} 5")

    catalogue.refresh(Inspector())

    assert names(catalogue, NIFTY) == ["09:15.page", "09:30.page"]
    assert catalogue.partitions()[NIFTY].rows == 10
    assert [file.relative for file in catalogue.duplicate_files()] == ["again-2/09:15.page"]


def test_a_fingerprint_depends_on_contents_only(tmp_path: Path) -> None:
    fingerprints = []
    for home, order in (("one", (1, 2)), ("two", (2, 1)), ("three", (1, 3))):
        zone = LandingZone(tmp_path / home)
        catalogue = LandingCatalogue(tmp_path / f"{home}.sqlite", zone)
        for place, rows in enumerate(order):
            path = drop(catalogue, f"{home}-{place}.csv", f"{NIFTY} {rows}")
            os.utime(path, (place, rows))
        catalogue.refresh(Inspector())
        fingerprints.append(catalogue.partitions()[NIFTY].fingerprint)

    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_a_budget_stops_after_a_file_and_the_next_refresh_goes_on(
    catalogue: LandingCatalogue,
) -> None:
    for number in range(4):
        drop(catalogue, f"{number}.csv", f"{NIFTY} {number}")

    seen = [catalogue.refresh(Inspector(), budget_s=0) for _ in range(5)]

    assert [report.new for report in seen] == [("0.csv",), ("1.csv",), ("2.csv",), ("3.csv",), ()]
    assert [len(report.remaining) for report in seen] == [3, 2, 1, 0, 0]


def test_only_the_files_allowed_are_opened(catalogue: LandingCatalogue) -> None:
    drop(catalogue, "done.csv", f"{NIFTY} 1")
    drop(catalogue, "growing.csv", f"{NIFTY} 2")

    report = catalogue.refresh(Inspector(), only={"done.csv"})

    assert (report.new, report.remaining) == (("done.csv",), ("growing.csv",))
    assert catalogue.partitions()[NIFTY].rows == 1


def test_another_version_of_the_inspecting_code_looks_again(catalogue: LandingCatalogue) -> None:
    drop(catalogue, "a.csv", "broken")
    catalogue.refresh(Inspector(), inspector="1")
    assert catalogue.refresh(Inspector(), inspector="1").changed == ()

    assert catalogue.refresh(Inspector(), inspector="2").changed == ("a.csv",)


def test_a_file_still_written_while_it_is_read_is_left_for_the_next_time(
    catalogue: LandingCatalogue,
) -> None:
    path = drop(catalogue, "a.csv", f"{NIFTY} 1")

    def grows(file: LandedFile) -> FileInspection:
        seen = inspected(file)
        with path.open("a") as more:
            more.write(f"\n{BANKNIFTY} 2")
        return seen

    report = catalogue.refresh(grows)

    assert (report.new, report.remaining) == ((), ("a.csv",))
    assert catalogue.partitions() == {}
    assert catalogue.refresh(Inspector()).new == ("a.csv",)
    assert set(catalogue.partitions()) == {NIFTY, BANKNIFTY}


@pytest.mark.parametrize("damage", [b"", b"this is no database at all, but long enough to see it"])
def test_a_damaged_catalogue_is_made_anew(catalogue: LandingCatalogue, damage: bytes) -> None:
    drop(catalogue, "a.csv", f"{NIFTY} 5")
    catalogue.path.write_bytes(damage)

    assert catalogue.refresh(Inspector()).new == ("a.csv",)
    assert names(catalogue, NIFTY) == ["a.csv"]


def test_a_catalogue_of_another_schema_is_made_anew(catalogue: LandingCatalogue) -> None:
    drop(catalogue, "a.csv", f"{NIFTY} 5")
    catalogue.refresh(Inspector())
    with sqlite3.connect(catalogue.path) as database:
        database.execute("PRAGMA user_version = 999")
        database.execute("ALTER TABLE files DROP COLUMN dialect")
    database.close()

    assert catalogue.refresh(Inspector()).new == ("a.csv",)
    assert names(catalogue, NIFTY) == ["a.csv"]


def test_a_catalogue_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    catalogue = LandingCatalogue(tmp_path / "catalogue", LandingZone(tmp_path))
    with pytest.raises(PlatformError, match="catalogue of landed files can't be used"):
        catalogue.partitions()


def refresh_slowly(path: str, landing: str, ready: object) -> None:
    """Refresh in a process of its own."""
    catalogue = LandingCatalogue(Path(path), LandingZone(Path(landing)))
    ready.wait()  # type: ignore[attr-defined]

    def slowly(file: LandedFile) -> FileInspection:
        time.sleep(0.002)
        return inspected(file)

    for _ in range(3):
        catalogue.refresh(slowly)
        assert len(catalogue.files_for(NIFTY)) == 40


def test_several_processes_refresh_one_catalogue(catalogue: LandingCatalogue) -> None:
    for number in range(1, 41):
        drop(catalogue, f"{number}.csv", f"{NIFTY} {number}")
    ready = SPAWN.Barrier(3, timeout=60)
    arguments = (str(catalogue.path), str(catalogue.zone.landing_dir), ready)
    processes = [SPAWN.Process(target=refresh_slowly, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    inputs = catalogue.partitions()[NIFTY]
    assert (inputs.files, inputs.rows) == (40, 820)
