from __future__ import annotations

import datetime as dt

from mr_platform.registry.marked_yaml import read_marked


def test_values_keep_their_lines_and_types():
    document = read_marked("a: 1\nb:\n  - x: 2.5\n  - [null, true, 2024-01-02, '09:15']\n")
    assert document.data == {"a": 1, "b": [{"x": 2.5}, [None, True, dt.date(2024, 1, 2), "09:15"]]}
    assert document.line(("b", 0, "x")) == 3
    assert document.line(("b", 1, 2)) == 4
    assert document.line(("b", 1, 2, "nothing", "below")) == 4
    assert document.faults == []


def test_a_key_declared_twice_is_a_fault_and_the_first_value_stands():
    document = read_marked("a: 1\nb: 2\na: 3\n")
    assert document.data == {"a": 1, "b": 2}
    assert document.faults == [(3, "the key a is declared twice, first on line 1")]


def test_broken_yaml_is_a_fault_with_its_line():
    document = read_marked("a: 1\nb: [1, 2\nc: 3\n")
    assert document.data is None
    ((line, text),) = document.faults
    assert line in (2, 3)
    assert text.startswith("not readable as YAML")


def test_an_unreadable_scalar_and_a_compound_key_are_faults():
    document = read_marked("a: !!int twelve\n? [1, 2]\n: x\nb: !!python/name:os.system x\n")
    assert [line for line, _ in document.faults] == [1, 2, 4]
    assert document.data == {"a": None, "b": None}
