from __future__ import annotations

import math

import pytest

from mr_platform.registry.faults import FaultList, Source, hint, near_names
from mr_platform.registry.marked_yaml import read_marked


def test_near_names_come_best_first():
    assert near_names("c1_ret_atm_4m", ["c1_ret_atm_5m", "c8_weak", "c1_ret_atm_45m"])[0] in (
        "c1_ret_atm_5m",
        "c1_ret_atm_45m",
    )
    assert near_names("zzz", ["c1_ret_atm_5m"]) == []


def test_a_hint_names_near_names_else_the_few_known_ones_else_nothing():
    assert hint("expiri", ["expiry", "underlying"]) == ". Near: expiry"
    assert hint("zzz", ["expiry", "underlying"]) == ". Known: expiry, underlying"
    assert hint("zzz", [f"name_{i}" for i in range(13)]) == ""
    assert hint("zzz", []) == ""


def test_faults_are_told_once_in_order_of_file_and_line():
    faults = FaultList()
    faults.add("b.yaml", 2, "two")
    faults.add("a.yaml", 10, "ten")
    faults.add("a.yaml", 9, "nine")
    faults.add("b.yaml", 2, "two")
    assert faults.texts() == ["a.yaml:9: nine", "a.yaml:10: ten", "b.yaml:2: two"]
    assert faults
    assert not FaultList()


def test_values_of_a_wrong_kind_are_faults_that_say_what_they_were():
    faults = FaultList()
    source = Source("x.yaml", read_marked("a: 1\nb: text\n"), faults)
    assert source.mapping(1, ("a",), "the part") == {}
    assert source.sequence("text", ("b",), "the list") == []
    assert source.text("  ", ("b",), "the words") == ""
    assert source.whole(True, ("a",), "the count") == 0
    assert source.whole(-1, ("a",), "the number") == 0
    assert source.truth(0, ("a",), "the flag") is False
    assert source.number(True, ("a",), "the size") == 0.0
    assert source.number(1.5, ("a",), "the share", 1.0) == 0.0
    assert source.delimiter("||", ("b",)) == ","
    assert source.delimiter('"', ("b",)) == ","
    assert faults.texts() == [
        "x.yaml:1: the count must be an integer of at least 0, was True",
        "x.yaml:1: the flag must be true or false, was 0",
        "x.yaml:1: the number must be an integer of at least 0, was -1",
        "x.yaml:1: the part must be a mapping, was 1",
        "x.yaml:1: the share must be a number from 0 to 1, was 1.5",
        "x.yaml:1: the size must be a number of at least 0, was True",
        "x.yaml:2: delimiter must be one ASCII character, no quote",
        "x.yaml:2: the list must be a list, was 'text'",
        "x.yaml:2: the words must be text, was '  '",
    ]


@pytest.mark.parametrize("value", [math.nan, -0.5, "2", None])
def test_a_number_is_a_number_not_below_0(value):
    faults = FaultList()
    source = Source("x.yaml", read_marked("a: 1\n"), faults)
    assert source.number(value, ("a",), "the size") == 0.0
    assert len(faults.texts()) == 1


def test_values_of_the_right_kind_are_themselves():
    faults = FaultList()
    source = Source("x.yaml", read_marked("a: 1\n"), faults)
    assert source.number(3, ("a",), "the size") == 3.0
    assert source.number(1, ("a",), "the share", 1.0) == 1.0
    assert source.delimiter("\t", ("a",)) == "\t"
    assert not faults
