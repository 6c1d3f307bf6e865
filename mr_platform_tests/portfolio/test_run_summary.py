"""Summaries of legacy runs: the recorded one, those of ours, every kind of damage."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.errors import InputFileError
from mr_platform.portfolio import run_summary
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.run_summary import RunParameters, RunSummary

NUMBERS = st.one_of(st.floats(allow_nan=False), st.just(math.inf))
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=20)
TIMES = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2999, 1, 1))
SUMMARY = RunSummary(
    "20250726_163251", dt.datetime(2025, 7, 26, 16, 54, 13), RunParameters(), "SA", 0.1, ("a", "b")
)
YEAR = (dt.date(2024, 1, 4), dt.date(2024, 9, 26))
LATER = (dt.date(2024, 10, 3), dt.date(2024, 12, 26))


@pytest.mark.real_data
def test_the_recorded_summary_is_read_and_written_the_same(real_data):
    path = real_data / "strategies" / "optimization_summary_20250726_163251.txt"
    text = path.read_text("utf-8")
    found = run_summary.read_summary(text, path.name)

    assert found.run_id == "20250726_163251"
    assert found.finished == dt.datetime(2025, 7, 26, 16, 54, 13)
    assert found.parameters == RunParameters()
    assert (found.method, found.fitness, len(found.members)) == ("SA", 30.45764862187442, 37)
    assert found.members[0].endswith("SENSEX 1426-1456 SL73%TP32%")
    assert run_summary.summary_text(found) == text


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Date: 2025-07-26", "Date: 26-07-2025", "is no instant"),
        ("- Mutation Rate: 0.1\n", "", "'- Mutation Rate:' should stand here"),
        ("Balanced Mode: False", "Balanced Mode: no", "neither True nor False"),
        ("- Size: 2", "- Size: 3", "2 members are listed, the size is 3"),
        ("Min Portfolio Size: 35", "Min Portfolio Size: -1", "no whole number"),
    ],
)
def test_damaged_summaries(old, new, fault):
    text = run_summary.summary_text(SUMMARY)
    assert old in text
    with pytest.raises(InputFileError) as refused:
        run_summary.read_summary(text.replace(old, new, 1), "s.txt")
    assert fault in str(refused.value)


def of_ours(**given_values) -> RunSummary:
    """A summary of a run of ours."""
    told = {"population": None, "mutation_rate": None, "generations": None, "penalty_factor": None,
            "form": "improved", "evaluations": 20_000, "seed": 2024} | given_values  # fmt: skip
    return replace(SUMMARY, parameters=RunParameters(**told))


def test_a_run_of_ours_tells_what_its_algorithm_has():
    text = run_summary.summary_text(of_ours(mutation_rate=0.03, balanced=True, penalty_factor=2.5))
    assert text.split("\n")[6:18] == [
        "Optimization Parameters:",
        "- Metric: ratio",
        "- Min Portfolio Size: 35",
        "- Max Portfolio Size: 60",
        "- Mutation Rate: 0.03",
        "- Algorithm Form: improved",
        "- Evaluations: 20000",
        "- Seed: 2024",
        "- Apply ULTA Logic: False",
        "- Balanced Mode: True",
        "- Penalty Factor: 2.5",
        "",
    ]


@pytest.mark.parametrize("optional", ["population", "mutation_rate", "generations", "none"])
def test_a_run_of_ours_comes_back(optional):
    given_summary = of_ours() if optional == "none" else of_ours(**{optional: 7})
    text = run_summary.summary_text(given_summary)
    assert ("- Population Size: 7" in text) == (optional == "population")
    assert run_summary.read_summary(text, "s") == given_summary


@pytest.mark.parametrize(
    "wrong",
    [{"form": None}, {"seed": None}, {"evaluations": None},
     {"form": None, "seed": None, "evaluations": None}],
    ids=["form", "seed", "evaluations", "neither program's"],
)  # fmt: skip
def test_parameters_that_are_of_neither_program(wrong):
    with pytest.raises(PortfolioError, match="a run"):
        of_ours(**wrong)


@pytest.mark.parametrize(
    ("line", "fault"),
    [("- Seed: 2024", "'- Seed:' should stand here"),
     ("- Evaluations: 20000", "'- Evaluations:' should stand here"),
     ("- Algorithm Form: improved", "'- Population Size:' should stand here")],
)  # fmt: skip
def test_a_run_of_ours_that_lost_a_line(line, fault):
    text = run_summary.summary_text(of_ours())
    with pytest.raises(InputFileError, match=fault):
        run_summary.read_summary(text.replace(f"{line}\n", ""), "s.txt")


def test_a_run_of_ours_tells_what_was_done_first_and_which_dates_were_searched():
    given_summary = of_ours(
        preparation="the last 25 % of the dates were held out", searched=YEAR, held_out=LATER
    )
    text = run_summary.summary_text(given_summary)
    assert text.split("\n")[10:15] == [
        "- Algorithm Form: improved",
        "- Evaluations: 20000",
        "- Seed: 2024",
        "- Preparation: the last 25 % of the dates were held out",
        "- Dates Searched: 2024-01-04 to 2024-09-26",
    ]
    assert "- Dates Held Out: 2024-10-03 to 2024-12-26\n" in text
    assert run_summary.read_summary(text, "s") == given_summary
    whole = of_ours(preparation="none", searched=YEAR)
    assert "- Dates Held Out: none\n" in run_summary.summary_text(whole)
    assert run_summary.read_summary(run_summary.summary_text(whole), "s") == whole


@pytest.mark.parametrize(
    "wrong",
    [
        {"preparation": "none"},
        {"searched": YEAR},
        {"held_out": LATER},
        {"preparation": "two\nlines", "searched": YEAR},
        {"preparation": "none", "searched": YEAR, "form": None, "seed": None, "evaluations": None,
         "population": 1, "mutation_rate": 0.1, "generations": 1, "penalty_factor": 1.0},
    ],
    ids=["no dates", "no preparation", "held out alone", "line break", "legacy"],
)  # fmt: skip
def test_rows_that_no_summary_can_tell(wrong):
    with pytest.raises(PortfolioError):
        of_ours(**wrong)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("- Dates Searched: 2024-01-04 to 2024-09-26\n", "", "'- Dates Searched:' should stand"),
        ("2024-01-04 to", "04.01.2024 to", "is no span of dates"),
        ("- Dates Held Out: none", "- Dates Held Out: few", "'few' is no span of dates"),
    ],
)
def test_damaged_dates(old, new, fault):
    text = run_summary.summary_text(of_ours(preparation="none", searched=YEAR))
    assert old in text
    with pytest.raises(InputFileError, match=fault):
        run_summary.read_summary(text.replace(old, new, 1), "s.txt")


def test_every_cut_of_a_summary_is_noticed():
    whole = of_ours(preparation="none", searched=YEAR, held_out=LATER)
    for given_summary in (SUMMARY, of_ours(), whole):
        text = run_summary.summary_text(given_summary)
        for end in range(len(text)):
            with pytest.raises(InputFileError):
                run_summary.read_summary(text[:end], "s")


# -- laws --------------------------------------------------------------------------------------


@given(TIMES, NUMBERS, NAMES, st.lists(NAMES, min_size=1, max_size=5, unique=True), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_summary_comes_back(at, fitness, method, members, truth):
    given_summary = RunSummary(
        f"{at:%Y%m%d_%H%M%S}", at.replace(microsecond=0),
        RunParameters(mutation_rate=abs(fitness), inverted=truth, balanced=not truth),
        method, fitness, tuple(members),
    )  # fmt: skip
    assert run_summary.read_summary(run_summary.summary_text(given_summary), "s") == given_summary
