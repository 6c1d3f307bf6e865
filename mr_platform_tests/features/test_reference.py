"""Every declared column against an independent reference, on simulated and on real days.

The reference (``reference/``) is written from the definitions in plain loops and shares no code
with the features. By default every component is compared on the first expiries of one day, the
real one where there is any, and two components on a simulated one as well; ``make test-full``
compares every expiry of two simulated days of both symbols and of three real days. The figures are
printed in the summary at the end of the run.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path

import polars as pl
import pytest

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS
from mr_platform_tests.conftest import REAL_DATA
from mr_platform_tests.features.chain_days import real_chain, simulated_chain
from mr_platform_tests.features.comparison import ComparedDay, compare, compared_day

THURSDAY, FRIDAY = dt.date(2025, 9, 4), dt.date(2025, 9, 5)

# the term structure needs three expiries
SAMPLED = [("simulated", "NIFTY", FRIDAY, 3)]
SAMPLED_REAL = [("real", "NIFTY", dt.date(2025, 8, 29), 2)]
WHOLE = [
    ("simulated", symbol, day, None)
    for symbol in ("NIFTY", "BANKNIFTY")
    for day in (THURSDAY, FRIDAY)
]
WHOLE_REAL = [
    ("real", "NIFTY", dt.date(2026, 8, 18), None),
    ("real", "NIFTY", dt.date(2025, 8, 29), None),
    ("real", "BANKNIFTY", dt.date(2025, 8, 29), None),
]
PARTNERS = {"NIFTY": "BANKNIFTY", "BANKNIFTY": "NIFTY"}
# of the real days only these two were collected for both symbols
PARTNERED_REAL = dt.date(2025, 8, 29)


# term structure and scores need what a real day of two expiries does not hold
BESIDE_REAL = ("c4", "c8")


def sampled_components() -> tuple[str, ...]:
    """Components that the simulated day is compared for: all where no real day can be."""
    held = (REAL_DATA / "options" / "chain").is_dir()
    return BESIDE_REAL if held else tuple(COMPONENTS)


def cases(days, *, slow: bool, real: bool, components=tuple(COMPONENTS)):
    marks = [*([pytest.mark.slow] if slow else []), *([pytest.mark.real_data] if real else [])]
    return [
        pytest.param(*day, component, marks=marks, id=f"{day[0]}-{day[1]}-{day[2]}-{component}")
        for day in days
        for component in components
    ]


@pytest.fixture(scope="session")
def chain_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("chains")


@lru_cache(maxsize=8)
def prepared(
    kind: str, symbol: str, day: dt.date, expiries: int | None, folder: Path, data: Path | None
) -> ComparedDay:
    """A day with made history, and its partner where there is one."""
    made = compared_day(_cut(_chain(kind, symbol, day, folder, data), expiries), seed=1)
    if kind == "simulated" or day == PARTNERED_REAL:
        partner = _cut(_chain(kind, PARTNERS[symbol], day, folder, data), expiries)
        made.partner = compared_day(partner, seed=2)
    return made


def _chain(kind: str, symbol: str, day: dt.date, folder: Path, data: Path | None) -> pl.DataFrame:
    if kind == "simulated":
        return simulated_chain(symbol, day, folder)
    assert data is not None
    return real_chain(symbol, day, data)


def _cut(chain: pl.DataFrame, expiries: int | None) -> pl.DataFrame:
    if expiries is None:
        return chain
    kept = chain["expiry_date"].unique().sort().to_list()[:expiries]
    return chain.filter(pl.col("expiry_date").is_in(kept))


def judge(made: ComparedDay, component: str, record_property) -> None:
    reports = compare(made, component)
    declared = [column.name for column in load_registry().components[component].columns]
    assert list(reports) == declared
    record_property("compared", {name: (r.cells, r.filled) for name, r in reports.items()})
    apart = [f"{name}: {r.where} (one-sided in {r.lone})" for name, r in reports.items() if r.where]
    assert not apart, f"{len(apart)} of {len(reports)} columns differ:\n" + "\n".join(apart)


@pytest.mark.parametrize(
    ("kind", "symbol", "day", "expiries", "component"),
    cases(SAMPLED, slow=False, real=False, components=sampled_components())
    + cases(WHOLE, slow=True, real=False),
)
def test_every_column_equals_its_reference_on_simulated_days(
    kind, symbol, day, expiries, component, chain_folder, record_property
):
    made = prepared(kind, symbol, day, expiries, chain_folder, None)
    judge(made, component, record_property)


@pytest.mark.parametrize(
    ("kind", "symbol", "day", "expiries", "component"),
    cases(SAMPLED_REAL, slow=False, real=True) + cases(WHOLE_REAL, slow=True, real=True),
)
def test_every_column_equals_its_reference_on_real_days(
    kind, symbol, day, expiries, component, chain_folder, real_data, record_property
):
    made = prepared(kind, symbol, day, expiries, chain_folder, real_data)
    judge(made, component, record_property)


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_column_is_empty_on_the_simulated_day(component, chain_folder):
    made = prepared(*SAMPLED[0], chain_folder, None)
    table = made.component(component)
    empty = [
        column.name
        for column in load_registry().components[component].columns
        if table[column.name].null_count() == table.height
    ]
    assert empty == []


TWINS = [
    *[(f"c1_rv_atm_{w}m", f"c5_rv_{w}m_strd", 1) for w in (15, 30, 60)],
    *[
        (f"c1_corr_{pair}_60m", f"c6_corr_{pair}_60m", 1)
        for pair in ("atm_itm1", "atm_otm1", "itm1_otm1", "ce_pe")
    ],
    ("c1_pivot_dist_atm", "c5_cpr_pos_daily_strd", 1),
    ("c1_cpr_width_atm", "c5_cpr_width_daily_strd", 1),
    ("c7_dist_max_pain", "c3_max_pain_distance", -1),
]


@pytest.mark.parametrize(("left", "right", "factor"), TWINS)
def test_twins_are_equal_where_both_have_a_value(left, right, factor, chain_folder):
    made = prepared(*SAMPLED[0], chain_folder, None)
    pair = pl.DataFrame(
        {"left": made.component(left[:2])[left], "right": made.component(right[:2])[right] * factor}
    ).drop_nulls()
    assert pair.height > 100
    assert ((pair["left"] - pair["right"]).abs() <= 1e-9 * (1 + pair["right"].abs())).all()
