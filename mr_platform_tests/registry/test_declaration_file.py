"""Reading one declaration: what it means, all of its faults, a file that cannot be read."""

from __future__ import annotations

import pytest

from mr_platform.errors import RegistryError
from mr_platform.registry.declaration_file import PORTFOLIO, read_declaration
from mr_platform.registry.loader import DECLARED, FILES


def _counts(source, data):
    return {
        name: source.whole(value, (name,), name)
        for name, value in source.mapping(data, (), "the file").items()
    }


def test_a_file_is_what_its_reader_makes_of_it(tmp_path):
    path = tmp_path / "counts.yaml"
    path.write_text("days: 3\nrows: 40\n", "utf-8")

    assert read_declaration(path, _counts) == {"days": 3, "rows": 40}


def test_every_fault_is_told_with_its_file_and_line(tmp_path):
    path = tmp_path / "counts.yaml"
    path.write_text("days: few\nrows: 1\nrows: 2\n", "utf-8")

    with pytest.raises(RegistryError) as refused:
        read_declaration(path, _counts)

    assert [fault.split(": ")[0] for fault in refused.value.faults] == [
        "counts.yaml:1",
        "counts.yaml:3",
    ]


@pytest.mark.parametrize("content", [None, b"days: \xff\n"])
def test_a_file_that_cannot_be_read_is_a_fault(tmp_path, content):
    path = tmp_path / "counts.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RegistryError, match=r"counts\.yaml:1: the file cannot be read"):
        read_declaration(path, _counts)


def test_declarations_of_portfolios_are_not_taken_for_features():
    names = {path.stem for path in PORTFOLIO.glob("*.yaml")}

    assert len(names) == 4
    assert PORTFOLIO.parent == DECLARED
    assert not names & set(FILES)
