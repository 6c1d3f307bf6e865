"""Files of the repository that no module imports: pins, licence, make targets, what is tracked."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mr_platform_tests.architecture.source_tree import REPOSITORY

CONSTRAINTS = ("constraints.txt", "constraints-gpu.txt")
EXTRAS = {
    "constraints.txt": ("gcp", "docker", "dev"),
    "constraints-gpu.txt": ("gpu", "dev"),
}
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)(?: ; .+)? \\$")
DIGEST = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(file: str) -> dict[str, set[str]]:
    """Versions by package; several where a marker tells platforms apart."""
    found: dict[str, set[str]] = {}
    for line in (REPOSITORY / file).read_text("utf-8").splitlines():
        if match := PIN.match(line):
            found.setdefault(match["name"], set()).add(match["version"])
    return found


def tracked_files() -> list[Path]:
    """Files that git knows or would add; all files outside ignored folders where git is absent."""
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = (REPOSITORY / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("file", CONSTRAINTS)
def test_constraints_hold_names_versions_and_hashes_only(file: str) -> None:
    lines = (REPOSITORY / file).read_text("utf-8").splitlines()
    assert lines[0].startswith("# Made by `make lock`")
    odd = [line for line in lines[1:] if not PIN.match(line) and not DIGEST.match(line)]
    assert not odd, "\n".join(odd[:5])
    bare = [
        line
        for line, following in zip(lines[1:], [*lines[2:], ""], strict=True)
        if PIN.match(line) and not DIGEST.match(following)
    ]
    assert not bare, f"pins without a hash: {bare}"


@pytest.mark.parametrize("file", CONSTRAINTS)
def test_constraints_pin_every_declared_requirement_to_a_version_it_allows(file: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(line for extra in EXTRAS[file] for line in project["optional-dependencies"][extra]),
    ]
    pinned = pins(file)
    faults = []
    for requirement in map(Requirement, declared):
        versions = pinned.get(canonicalize_name(requirement.name), set())
        if not versions:
            faults.append(f"{requirement.name} is not pinned")
        faults += [
            f"{requirement} is pinned to {version}"
            for version in versions
            if version not in requirement.specifier
        ]
    assert not faults, "run `make lock`:\n" + "\n".join(faults)


def test_both_environments_compute_with_the_same_libraries() -> None:
    main, gpu = pins("constraints.txt"), pins("constraints-gpu.txt")
    for library in ("polars", "numpy", "deltalake", "dagster", "exchange-calendars", "pyvolr"):
        assert main[library] == gpu[library], library
    assert "dagster-gcp" in main
    assert "dagster-gcp" not in gpu, "dagster-gcp needs pandas 2, cuDF pandas 3"
    assert all(version.startswith("2.") for version in main["pandas"])
    assert all(version.startswith("3.") for version in gpu["pandas"])


def test_make_help_lists_every_target() -> None:
    text = (REPOSITORY / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+)$", text, re.MULTILINE))
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    told = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    listed = {line.split()[1] for line in told.splitlines() if line.startswith("  make ")}
    assert listed == targets
    assert {"setup", "demo", "ui", "test", "lint", "types", "lock", "bench"} <= targets


def test_the_licence_is_the_declared_one() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    text = (REPOSITORY / "LICENSE").read_text("utf-8")
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_no_tracked_file_names_a_machine_or_a_package_host() -> None:
    # parts are joined here so that this file does not name them itself
    foreign = [
        re.compile(pattern)
        for pattern in (
            "/home/" + r"\w+/",
            "/Users/" + r"\w+/",
            re.escape(str(REPOSITORY)) + "/",
            "files.python" + "hosted",
            r"pypi\." + r"org/simple",
            "--(?:extra-)?index" + "-url [a-z]+:",
        )
    ]
    found = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(REPOSITORY)}: {match[0]}"
            for pattern in foreign
            for match in pattern.finditer(text)
        ]
    assert not found, "\n".join(found[:20])


def test_nothing_heavy_is_tracked() -> None:
    allowed = {"constraints.txt", "constraints-gpu.txt"}
    heavy = [
        f"{path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes"
        for path in tracked_files()
        if path.stat().st_size > 400_000 and path.name not in allowed
    ]
    assert not heavy, "\n".join(heavy)


def test_ci_runs_the_tests_without_input() -> None:
    script = REPOSITORY / ".ci" / "run"
    text = script.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "make test </dev/null" in text
    assert script.stat().st_mode & 0o111


def test_rooms_with_a_coverage_floor_are_measured_by_their_own_tests() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    rooms = project["tool"]["coverage"]["report"]["include"]
    floor = {
        f"test_{name.rstrip('*')}" if name.endswith(".py") else name.removesuffix("/*")
        for name in (room.removeprefix("mr_platform/").replace("*.py", ".py") for room in rooms)
    }
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    found = re.search(
        r"^MEASURED := \$\(addprefix mr_platform_tests/,(.+?)\)$", makefile, re.M | re.S
    )
    assert found is not None
    assert set(found[1].replace("\\\n", " ").split()) == floor
