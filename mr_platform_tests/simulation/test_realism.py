"""Statistics of simulated days against those of the real days, in stated bands.

Each band spans the real days' figures with room on both sides: the simulator imitates a market,
not a day.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import MarketSettings
from mr_platform.simulation.chain_day import DaySpec, SimulatedDay, simulate_day
from mr_platform.simulation.daily_path import day_frame
from mr_platform.simulation.regimes import regime_path
from mr_platform.simulation.spot_path import spot_path
from mr_platform.trading_calendar import trading_days

STEP = 50
SEEDS = (1, 2, 3)
pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real_days(real_data: Path) -> list[pl.DataFrame]:
    folder = real_data / "options/chain/symbol=NIFTY"
    return [
        pl.read_parquet(folder / f"NIFTY_{date}.parquet") for date in ("2025-08-29", "2026-08-17")
    ]


@pytest.fixture(scope="module")
def simulated_days(market: MarketSettings) -> list[pl.DataFrame]:
    return [
        simulate_day(DaySpec("NIFTY", dt.date(2025, 8, 29), seed, market)).chain for seed in SEEDS
    ]


def otm_iv(chain: pl.DataFrame, dte: int) -> pl.DataFrame:
    """Volatility of the leg out of the money by log moneyness."""
    above = pl.col("strike") >= pl.col("spot")
    return (
        chain.filter(pl.col("dte") == dte)
        .select(
            k=(pl.col("strike") / pl.col("spot")).log(),
            iv=pl.when(above).then(pl.col("ce_iv")).otherwise(pl.col("pe_iv")),
        )
        .filter(pl.col("iv") > 0)
    )


def iv_at(chain: pl.DataFrame, dte: int, moneyness: float) -> float:
    near = otm_iv(chain, dte).filter((pl.col("k") - moneyness).abs() < 0.004)["iv"].median()
    assert isinstance(near, float)
    return near


def parity_scatter(chain: pl.DataFrame, dte: int) -> pl.Series:
    """Distance of each near strike's synthetic forward from the minute's median, points."""
    forward = pl.col("strike") + pl.col("ce_close") - pl.col("pe_close")
    near = chain.filter(
        (pl.col("dte") == dte) & ((pl.col("strike") - pl.col("atm_strike")).abs() <= 7 * STEP)
    ).drop_nulls(["ce_close", "pe_close"])
    return near.select((forward - forward.median().over("trade_time")).abs().alias("gap"))["gap"]


def concentration(chain: pl.DataFrame, dte: int, column: str) -> tuple[float, float, float]:
    """Herfindahl index, share within five strikes of ATM, share on round strikes."""
    last = chain.filter((pl.col("dte") == dte) & pl.col(column).is_not_null())
    last = last.filter(pl.col("trade_time") == last["trade_time"].max())
    share = last[column] / last[column].sum()
    near = (last["strike"] - last["atm_strike"]).abs() <= 5 * STEP
    on_round = last["strike"] % (10 * STEP) == 0
    herfindahl = float((share**2).sum())
    return herfindahl, float(share.filter(near).sum()), float(share.filter(on_round).sum())


def within(value: float, real: list[float], low: float, high: float) -> None:
    assert low * min(real) <= value <= high * max(real), (value, real)


def test_volatility_at_the_money_is_near_that_of_the_real_day(
    real_days: list[pl.DataFrame], simulated_days: list[pl.DataFrame]
) -> None:
    for dte in (4, 11, 32):
        real = [iv_at(real_days[0], dte, 0.0)]
        for chain in simulated_days:
            within(iv_at(chain, dte, 0.0), real, 0.6, 1.65)


def test_the_smile_has_the_slope_and_the_bend_of_the_real_days(
    real_days: list[pl.DataFrame], simulated_days: list[pl.DataFrame]
) -> None:
    def ratios(chain: pl.DataFrame, dte: int, moneyness: float) -> float:
        return iv_at(chain, dte, moneyness) / iv_at(chain, dte, 0.0)

    for chain in simulated_days:
        within(ratios(chain, 11, -0.05), [ratios(real_days[0], 11, -0.05)], 0.8, 1.2)
        within(ratios(chain, 11, 0.05), [ratios(real_days[0], 11, 0.05)], 0.8, 1.2)
        within(ratios(chain, 4, -0.05), [ratios(real_days[0], 4, -0.05)], 0.65, 1.3)
        slope = iv_at(chain, 32, 0.02) - iv_at(chain, 32, -0.02)
        real = iv_at(real_days[1], 22, 0.02) - iv_at(real_days[1], 22, -0.02)
        assert 1.9 * real < slope < 0.35 * real < 0


def test_put_call_parity_scatters_as_on_the_real_days(
    real_days: list[pl.DataFrame], simulated_days: list[pl.DataFrame]
) -> None:
    for dte in (4, 11):
        real = [parity_scatter(real_days[0], dte)]
        real.append(parity_scatter(real_days[1], {4: 1, 11: 8}[dte]))
        medians = [float(gaps.median() or 0) for gaps in real]
        tails = [float(gaps.quantile(0.9) or 0) for gaps in real]
        for chain in simulated_days:
            gaps = parity_scatter(chain, dte)
            within(float(gaps.median() or 0), medians, 0.5, 2.0)
            within(float(gaps.quantile(0.9) or 0), tails, 0.5, 2.0)


def test_open_interest_and_volume_concentrate_as_on_the_real_days(
    real_days: list[pl.DataFrame], simulated_days: list[pl.DataFrame]
) -> None:
    for column, bands in {
        "ce_oi": ((0.6, 2.0), (0.6, 2.0), (0.6, 1.6)),
        "pe_oi": ((0.6, 2.0), (0.6, 2.0), (0.6, 1.6)),
    }.items():
        real = concentration(real_days[0], 4, column)
        for chain in simulated_days:
            found = concentration(chain, 4, column)
            for value, expected, (low, high) in zip(found, real, bands, strict=True):
                within(value, [expected], low, high)
    near = (pl.col("strike") - pl.col("atm_strike")).abs() <= 5 * STEP
    for leg in ("ce_volume", "pe_volume"):
        shares = [
            float(
                chain.filter((pl.col("dte") == 4) & near)[leg].sum()
                / chain.filter(pl.col("dte") == 4)[leg].sum()
            )
            for chain in (real_days[0], *simulated_days)
        ]
        for share in shares[1:]:
            within(share, shares[:1], 0.8, 1.25)


def test_far_strikes_lie_idle_as_often_as_on_the_real_day(
    real_days: list[pl.DataFrame], simulated_days: list[pl.DataFrame]
) -> None:
    def idle(chain: pl.DataFrame, dte: int) -> float:
        return float((chain.filter(pl.col("dte") == dte)["ce_volume"] == 0).mean() or 0)

    for chain in simulated_days:
        for dte in (4, 11):
            within(idle(chain, dte), [idle(real_days[0], dte)], 0.5, 1.5)


def test_about_four_in_a_hundred_volatilities_are_missing(
    simulated_days: list[pl.DataFrame], expiry_day: SimulatedDay
) -> None:
    def missing(chain: pl.DataFrame, name: str) -> float:
        return float((chain[name].is_null() | (chain[name] == 0)).mean() or 0)

    for chain in simulated_days:
        for leg in ("ce", "pe"):
            assert 0.025 < missing(chain, f"{leg}_iv") < 0.055
            # as in the real files, zero sometimes stands for missing
            assert (chain[f"{leg}_iv"] == 0).any()
    # near the money hardly any, on expiry day more than on others
    ranks = pl.col("call_strike_type").str.extract(r"(\d+)").cast(pl.Int64).fill_null(0)
    near = simulated_days[0].filter(ranks <= 7)
    assert missing(near, "ce_iv") < 0.02
    assert missing(expiry_day.chain, "ce_iv") > missing(simulated_days[0], "ce_iv")


def test_minute_returns_look_like_those_of_2022(real_data: Path) -> None:
    real = pl.read_parquet(real_data / "options/raw/index_1min/NIFTY_2022.parquet").sort("ts")
    clock = pl.col("ts").dt.time()
    real = real.filter(clock.is_between(dt.time(9, 16), dt.time(15, 30)))
    day = pl.col("ts").dt.date()
    moved = real.select(r=(pl.col("close") / pl.col("close").shift(1)).log().over(day))[
        "r"
    ].drop_nulls()
    rows = []
    for date in trading_days(dt.date(2022, 1, 3), dt.date(2022, 12, 30)):
        frame = day_frame(4, "NIFTY", date)
        path = spot_path(4, "NIFTY", frame, regime_path(4, "NIFTY", date))
        rows.append(np.diff(np.log(path.close)))
    table = np.array(rows)
    ours, theirs = table.ravel(), moved.to_numpy()
    assert 0.75 < ours.std() / theirs.std() < 1.35

    def kurtosis(values: np.ndarray) -> float:
        return float(np.mean((values - values.mean()) ** 4) / values.var() ** 2)

    def memory(values: np.ndarray) -> float:
        return float(np.corrcoef(np.abs(values[1:]), np.abs(values[:-1]))[0, 1])

    assert 0.5 < kurtosis(ours) / kurtosis(theirs) < 3.0
    assert 0.6 < memory(ours) / memory(theirs) < 1.5
    assert abs(np.corrcoef(ours[1:], ours[:-1])[0, 1]) < 0.08
    # busy at both ends, quiet at lunch
    square = (table**2).mean(axis=0)
    assert square[:30].mean() > 1.8 * square[150:210].mean()
    assert square[330:360].mean() > 1.3 * square[150:210].mean()


@pytest.mark.parametrize(
    ("symbol", "date", "level"),
    [
        ("NIFTY", dt.date(2019, 6, 11), 11_950.0),
        ("NIFTY", dt.date(2025, 8, 29), 24_500.0),
        ("BANKNIFTY", dt.date(2019, 6, 11), 31_200.0),
        ("BANKNIFTY", dt.date(2026, 2, 3), 60_100.0),
    ],
)
def test_the_index_lives_near_its_level_of_the_year(
    symbol: str, date: dt.date, level: float
) -> None:
    closes = [day_frame(seed, symbol, date).close for seed in range(30)]
    assert abs(np.median(closes) / level - 1.0) < 0.05
    assert 0.01 < np.std(np.log(closes)) < 0.12
