"""Lines of a run's texts: what is taken, and the line of every fault."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mr_platform.errors import InputFileError
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.run_lines import Lines, in_full, plain, read_number, refuse_line_breaks


def test_lines_one_after_the_other():
    lines = Lines("Size: 3\r\n\nRate: 0.1\nOn: True\nAt: 2025-07-26 16:54:13\n", "a.txt")

    assert lines.whole(lines.take("Size: ")) == 3
    lines.take("", exactly=True)
    assert lines.number("Rate: ") == 0.1
    assert lines.truth("On: ")
    assert str(lines.instant("At: ")) == "2025-07-26 16:54:13"
    lines.take("", exactly=True)
    assert not lines.left
    with pytest.raises(InputFileError, match="cut off"):
        lines.take("more")


def test_lines_that_may_be_missing_are_asked_for_before_they_are_taken():
    lines = Lines("Rate: 0.5\nSeed: 7", "a.txt")

    assert lines.next_is("Rate: ")
    assert not lines.next_is("Seed: ")
    assert lines.holds("Seed: ")
    assert lines.value(lines.take("Rate: ")) == 0.5
    assert not lines.holds("Rate: "), "only what is left"
    lines.take("Seed: ")
    assert not lines.next_is("")
    assert not lines.holds("")
    with pytest.raises(InputFileError, match="line 2: 'many' is no number"):
        lines.value("many")


@pytest.mark.parametrize(
    ("text", "take", "fault"),
    [
        ("a\nb", lambda lines: lines.take("x"), "line 1: 'x' should stand here, not 'a'"),
        ("a", lambda lines: lines.take("", exactly=True), "an empty line should stand here"),
        ("n: 1,5", lambda lines: lines.number("n: "), "'1,5' is no number"),
        ("n: 1_0", lambda lines: lines.number("n: "), "'1_0' is no number"),
        ("n:  1", lambda lines: lines.number("n: "), "' 1' is no number"),
        ("n: -1", lambda lines: lines.whole(lines.take("n: ")), "'-1' is no whole number"),
        ("n: \u0663", lambda lines: lines.whole(lines.take("n: ")), "is no whole number"),
        ("n: yes", lambda lines: lines.truth("n: "), "'yes' is neither True nor False"),
        ("n: 2025-13-01 00:00:00", lambda lines: lines.instant("n: "), "is no instant"),
        ("Selected Strategies:\n1. a\n", lambda lines: lines.members(2), "1 members are listed"),
        ("Selected Strategies:\n1. a\n3. b\n", lambda lines: lines.members(2), "'2.' should stand"),
        ("Selected Strategies:\n1. a\n2. a\n", lambda lines: lines.members(2), "listed twice"),
        ("Selected Strategies:\n1. a", lambda lines: lines.members(1), "does not end"),
    ],
)
def test_a_fault_names_its_line(text, take, fault):
    with pytest.raises(InputFileError) as refused:
        take(Lines(text, "a.txt"))

    assert fault in str(refused.value)
    assert str(refused.value).startswith("a.txt: line ")


@given(st.floats())
def test_a_number_in_full_comes_back_with_the_same_bits(number):
    found = read_number(in_full(number), "a", 1)
    assert found == number or (math.isnan(found) and math.isnan(number))
    assert math.copysign(1, found) == math.copysign(1, number) or math.isnan(number)


def test_what_is_not_defined_is_written_as_nan():
    assert in_full(None) == "nan"


def test_line_ends_of_windows():
    assert plain("a\r\nb\rc\n") == "a\nb\rc\n"


def test_names_that_do_not_fit_on_a_line():
    refuse_line_breaks(["a b", "c\u2028d"])
    with pytest.raises(PortfolioError, match="2 names hold a line break, first 'a"):
        refuse_line_breaks(["a\nb", "c\rd"])
