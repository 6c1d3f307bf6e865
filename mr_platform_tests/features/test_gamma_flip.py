"""The zero of the dealers' gamma: walking in rings gives what the whole grid gives."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest

from mr_platform.features.gamma_flip import FLIP, flip_inputs, gamma_flip
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.greek_days import flip_on_the_whole_grid

F, TAU = 24_500.0, 4 / 365


def book(seed: int) -> list[dict]:
    """A chain whose calls or puts weigh more, so that zeros lie anywhere or nowhere."""
    draw = random.Random(seed)
    tilt, slope = draw.uniform(-1.5, 1.5), draw.uniform(-0.2, 0.2)
    rows = []
    for k in range(-20, 21):
        row: dict = {"strike": F + 50.0 * k, "k": k}
        for side, sign in (("ce", 1), ("pe", -1)):
            row |= {f"{side}_{g}": 1.0 for g in ("delta", "gamma", "theta", "vega")}
            row[f"{side}_iv"] = draw.uniform(0.1, 0.16)
            row[f"{side}_oi"] = round(1000 * math.exp(sign * (tilt + slope * k)))
        rows.append(row)
    return rows


def flips(books: list[list[dict]], cells: list[int] | None = None) -> list[float]:
    rows = pl.DataFrame(
        [
            {"run": number + 1, "cell": number, **row}
            for number, rows in enumerate(books)
            for row in rows
        ],
        schema_overrides={"run": pl.UInt32, "cell": pl.UInt32},
    )
    columns: dict[str, pl.Expr] = {}
    for side in ("ce", "pe"):
        width = pl.col(f"{side}_iv") * math.sqrt(TAU)
        d1 = (F / pl.col("strike")).log() / width + width / 2
        columns |= flip_inputs(side, pl.col(f"{side}_oi").cast(pl.Float64), width, d1)
    wanted = pl.DataFrame({"cell": cells or range(len(books))}, schema={"cell": pl.UInt32})
    found = gamma_flip(rows.select("run", "cell", **columns), wanted, CpuEngine())
    assert found["cell"].is_duplicated().sum() == 0
    return found.sort("cell")[FLIP].to_list()


def test_every_book_has_the_zero_of_the_whole_grid():
    books = [book(seed) for seed in range(120)]
    expected = [flip_on_the_whole_grid(rows, F, TAU) for rows in books]
    assert flips(books) == pytest.approx(expected, abs=1e-11)
    sizes = {math.ceil(abs(x) * 4) for x in expected if abs(x) < 3}
    # zeros in every round of the search, and books without one on either side
    assert {1, 2, 3} & sizes
    assert {4, 5, 6, 7} & sizes
    assert {8, 9, 10, 11, 12} & sizes
    assert {-3.0, 3.0} <= set(expected)


def test_only_the_cells_asked_for_are_answered():
    books = [book(seed) for seed in range(4)]
    assert flips(books, [1, 3]) == [flips(books)[1], flips(books)[3]]


def test_of_two_zeros_the_nearer_counts():
    rows = book(0)
    for row in rows:
        row["ce_iv"] = row["pe_iv"] = 0.03
        row["ce_oi"] = 1000 if row["k"] in (-4, 6) else 0
        row["pe_oi"] = 1000 if row["k"] == 1 else 0
    # puts rule at 24,550 and calls at 24,300 and 24,800: zeros near 24,425 and 24,675
    assert flips([rows])[0] == pytest.approx(100 * (24_425 / F - 1), abs=0.02)


def test_a_book_without_open_interest_is_zero_at_the_forward():
    rows = [{**row, "ce_oi": 0, "pe_oi": 0} for row in book(0)]
    assert flips([rows, book(1)])[0] == 0.0
