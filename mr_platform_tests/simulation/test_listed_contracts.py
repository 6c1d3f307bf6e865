"""Contracts of a day and what their strikes are called."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from mr_platform.simulation.listed_contracts import (
    Listing,
    atm_strikes,
    chosen_expiries,
    contract_names,
    listing,
    strike_grid,
    strike_ranks,
    strike_types,
)

D = dt.date
DAY = D(2025, 8, 29)


def test_expiries_with_a_bucket_come_before_nearer_ones_without() -> None:
    # 2025-08-29: weeklies on 09-02, 09-09, 09-16, 09-23, monthlies on 09-30 and 10-28
    assert chosen_expiries("NIFTY", DAY, 4) == (
        (D(2025, 9, 2), D(2025, 9, 9), D(2025, 9, 30), D(2025, 10, 28)),
        ("CW", "NW", "CM", "NM"),
    )
    five, buckets = chosen_expiries("NIFTY", DAY, 5)
    assert five[2] == D(2025, 9, 16)
    assert buckets[2] is None


def test_strikes_are_dense_near_the_money_and_wider_far_out() -> None:
    strikes = strike_grid(24_510.0, 50.0, 4)
    gaps = np.diff(strikes)
    near = np.abs(strikes[:-1] - 24_510) < 1_000
    assert set(gaps[near]) == {50.0}
    assert {gaps[0], gaps[-1]} == {500.0}
    assert np.abs(strikes / 24_510 - 1).max() <= 0.25
    far = strike_grid(24_510.0, 50.0, 60)
    assert set(np.diff(far)[np.abs(far[:-1] - 24_510) < 1_000]) == {100.0}


def test_a_listing_holds_one_grid_for_each_expiry() -> None:
    found = listing("NIFTY", DAY, 24_500.0, 50.0, 4)
    assert found.counts.tolist() == [len(strikes) for strikes in found.strikes]
    assert 24_550.0 in found.strikes[0]
    assert 24_550.0 not in found.strikes[3], "sixty days ahead every second strike is listed"


def test_contracts_are_named_by_symbol_expiry_strike_and_leg() -> None:
    contracts = Listing(
        (D(2025, 9, 2), D(2025, 9, 9)),
        ("CW", "NW"),
        (np.array([24_500.0, 24_550.0]), np.array([24_600.0])),
    )
    assert contract_names("NIFTY", contracts, "CE").to_list() == [
        "NIFTY02SEP2524500CE",
        "NIFTY02SEP2524550CE",
        "NIFTY09SEP2524600CE",
    ]


def test_halfway_between_two_strikes_the_upper_is_at_the_money() -> None:
    assert atm_strikes(np.array([24_524.95, 24_525.0, 24_525.05]), 50.0).tolist() == [
        24_500.0,
        24_550.0,
        24_550.0,
    ]
    strikes = np.array([24_400.0, 24_500.0, 24_600.0])
    ranks = strike_ranks(strikes, np.array([24_450.0, 24_449.0, 23_000.0, 26_000.0]))
    assert ranks.tolist() == [[-1, 0, 1], [0, 1, 2], [0, 1, 2], [-2, -1, 0]]


@pytest.mark.parametrize(
    ("rank", "call", "put"), [(-2, "ITM2", "OTM2"), (0, "ATM", "ATM"), (1, "OTM1", "ITM1")]
)
def test_labels_of_calls_and_puts_mirror_each_other(rank: int, call: str, put: str) -> None:
    calls, puts = strike_types(np.array([[-2, -1, 0, 1]]))
    assert (calls[rank + 2], puts[rank + 2]) == (call, put)
