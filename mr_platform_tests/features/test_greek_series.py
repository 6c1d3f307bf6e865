"""Greek sums of the panel: added up one by one over a chain with holes, and the rules by hand."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform_tests.features.chain_days import hand_chain
from mr_platform_tests.features.greek_days import (
    FAR_EXPIRY,
    GREEKS,
    NEAR_EXPIRY,
    curve_greeks,
    flip_on_the_whole_grid,
    near_side,
    net_greeks,
    ragged_chain,
    sections,
    sound,
)

START = 3 * 60 + 45


@pytest.fixture(scope="module")
def chain() -> pl.DataFrame:
    return ragged_chain()


@pytest.fixture(scope="module")
def minutes(chain) -> list[tuple[dict, dict, list[dict]]]:
    """(price columns, Greek columns, strike rows with their rank) of every quoted minute."""
    base, greeks = sections(chain)
    rows = chain.with_columns(
        j=pl.col("ts_minute").dt.hour().cast(pl.Int32) * 60
        + pl.col("ts_minute").dt.minute()
        - START,
        k=pl.when(pl.col("call_strike_type") == "ATM")
        .then(0)
        .when(pl.col("call_strike_type").str.starts_with("OTM"))
        .then(pl.col("call_strike_type").str.slice(3).cast(pl.Int32, strict=False))
        .otherwise(-pl.col("call_strike_type").str.slice(3).cast(pl.Int32, strict=False)),
    )
    table = {
        key: part.sort("strike").to_dicts()
        for key, part in rows.partition_by("expiry_date", "j", as_dict=True).items()
    }
    found = []
    for price, greek in zip(base.to_dicts(), greeks.to_dicts(), strict=True):
        strikes = table.get((price["expiry_date"], price["j"]))
        assert price["present"] == (strikes is not None)
        if strikes is not None:
            found.append((price, greek, strikes))
    assert len(found) == 2 * 34
    return found


def same(actual: float | None, expected: float | None) -> None:
    if expected is None:
        assert actual is None
    else:
        assert actual == pytest.approx(expected, rel=1e-11, abs=1e-300)


def test_sums_over_near_by_open_interest(minutes):
    seen = 0
    for price, greek, strikes in minutes:
        for side in ("ce", "pe"):
            weights = {row["strike"]: row[f"{side}_oi"] for row in strikes}
            sums = near_side(strikes, side, weights, price["forward"], price["tau"])
            seen += bool(sums)
            same(greek[f"g2_oi_{side}"], sums.get("w"))
            for name in GREEKS:
                same(greek[f"g2_{name}_oi_{side}"], sums.get(name))
            for name in ("vanna", "charm", "volga"):
                same(greek[f"g2_{name}_sum_{side}"], sums.get(f"{name}_sum"))
                same(greek[f"g2_{name}_gross_{side}"], sums.get(f"{name}_gross"))
            for name in ("delta", "gamma"):
                for bucket in ("atm", "otm"):
                    same(greek[f"g2_{name}_{bucket}_{side}"], sums.get(f"{name}_{bucket}"))
            same(greek[f"g2_log_gamma_{side}"], sums.get("log_gamma"))
    assert 40 < seen < 4 * 34  # some minutes lack legs, most do not


def test_sums_over_near_by_volume_of_fifteen_minutes(minutes):
    for price, greek, strikes in minutes:
        for side in ("ce", "pe"):
            weights = {}
            for row in strikes:
                traded = [
                    earlier[f"{side}_volume"]
                    for other, _, rows in minutes
                    if other["expiry_date"] == price["expiry_date"]
                    and price["j"] - 15 < other["j"] <= price["j"]
                    for earlier in rows
                    if earlier["strike"] == row["strike"] and earlier[f"{side}_volume"] is not None
                ]
                weights[row["strike"]] = sum(traded) if len(traded) >= 5 else None
            sums = near_side(strikes, side, weights, price["forward"], price["tau"])
            same(greek[f"g2_vol_{side}"], sums.get("w"))
            for name in GREEKS:
                same(greek[f"g2_{name}_vol_{side}"], sums.get(name))
            if price["j"] < 4:
                assert greek[f"g2_vol_{side}"] is None


def test_exposures_over_the_chain(minutes):
    for price, greek, strikes in minutes:
        legs = {
            side: [r for r in strikes if sound(r, side) and r[f"{side}_oi"] is not None]
            for side in ("ce", "pe")
        }
        both = {r["strike"] for r in legs["ce"]} & {r["strike"] for r in legs["pe"]}
        if len(both) < 15:
            assert greek["g2_gamma_net"] is None
            assert greek["g2_flip"] is None
            assert greek["g2_peak_pos"] is None
            continue
        sums: dict[str, dict[str, float]] = {}
        for side, rows in legs.items():
            sums[side] = {g: sum(r[f"{side}_oi"] * r[f"{side}_{g}"] for r in rows) for g in GREEKS}
            for name in ("vanna", "charm"):
                sums[side][name] = sum(
                    r[f"{side}_oi"] * curve_greeks(r, side, price["forward"], price["tau"])[name]
                    for r in rows
                )
        ce, pe = sums["ce"], sums["pe"]
        scale = ce["gamma"] + pe["gamma"]
        assert greek["g2_gamma_net"] == pytest.approx(ce["gamma"] - pe["gamma"], abs=1e-12 * scale)
        same(greek["g2_gamma_gross"], scale)
        assert greek["g2_delta_sum"] == pytest.approx(
            ce["delta"] + pe["delta"], abs=1e-12 * ce["delta"]
        )
        assert greek["g2_vega_net"] == pytest.approx(
            ce["vega"] - pe["vega"], abs=1e-12 * ce["vega"]
        )
        for name in ("vanna", "charm"):
            assert greek[f"g2_{name}_net"] == pytest.approx(ce[name] - pe[name], rel=1e-9)
        net = {r["strike"]: 0.0 for rows in legs.values() for r in rows}
        for side, sign in (("ce", 1), ("pe", -1)):
            for r in legs[side]:
                net[r["strike"]] += sign * r[f"{side}_oi"] * r[f"{side}_gamma"]
        size = sum(abs(x) for x in net.values())
        same(greek["g2_gamma_hhi"], sum((x / size) ** 2 for x in net.values()))
        same(greek["g2_peak_pos"], max(net, key=net.__getitem__))
        same(greek["g2_peak_neg"], min(net, key=net.__getitem__))
        flip = flip_on_the_whole_grid(strikes, price["forward"], price["tau"])
        assert greek["g2_flip"] == pytest.approx(flip, abs=1e-10)


def test_open_interest_over_near_takes_every_leg_that_has_some(minutes):
    for price, greek, strikes in minutes:
        total = {
            r["strike"]: (r["ce_oi"] or 0) + (r["pe_oi"] or 0)
            for r in strikes
            if abs(r["k"]) <= 7 and (r["ce_oi"] is not None or r["pe_oi"] is not None)
        }
        assert len(total) >= 10
        pin = max(total, key=lambda k: (total[k], -abs(k - price["forward"]), -k))
        everything = sum(total.values())
        same(greek["g2_pin_strike"], pin)
        same(greek["g2_pin_share"], total[pin] / everything)
        same(greek["g2_oi_hhi"], sum((x / everything) ** 2 for x in total.values()))


def test_net_greeks_and_their_differences_hold_the_strikes_of_the_earlier_end(minutes):
    changes, bridges = 0, 0
    for expiry in (NEAR_EXPIRY, FAR_EXPIRY):
        day = {p["j"]: (g, s) for p, g, s in minutes if p["expiry_date"] == expiry}
        near = {j: [r for r in strikes if abs(r["k"]) <= 7] for j, (_, strikes) in day.items()}
        net = {j: net_greeks(rows) for j, rows in near.items()}
        for j, (greek, strikes) in day.items():
            for name in GREEKS:
                same(greek[f"n{name}"], net[j].get(name))
            start = next((b for b in (j - 1, j - 2, j - 3) if net.get(b)), None)
            if start is None or not net[j]:
                assert greek["d_ndelta"] is None
                continue
            held_strikes = {r["strike"] for r in near[start]}
            held = net_greeks([r for r in strikes if r["strike"] in held_strikes])
            changes += held != net[j]
            bridges += start != j - 1
            for name in GREEKS:
                expected = held[name] - net[start][name] if held else None
                actual = greek[f"d_n{name}"]
                if expected is None:
                    assert actual is None
                else:
                    assert actual == pytest.approx(expected, abs=1e-12)
    assert changes > 10
    assert bridges > 0


def test_a_gap_of_three_minutes_is_bridged_and_one_of_four_is_not():
    frame = _net_deltas(missing=(3, 4, 10, 11, 12))
    assert frame[5] is not None  # t' = 2
    assert frame[13] is None  # 9 lies four minutes back


def _net_deltas(missing: tuple[int, ...]) -> dict[int, float | None]:
    _, greeks = sections(ragged_chain(minutes=16, missing=missing, holes=0.0))
    return dict(enumerate(greeks["d_ndelta"].to_list()[:375]))


# -- hand-worked ----------------------------------------------------------------------------------


def strip(j: int, centre: float, *, reach: int = 8, **legs: object) -> list[dict]:
    """One minute of equal legs around a centre."""
    plain = {
        f"{side}_{name}": value
        for side, sign in (("ce", 1), ("pe", -1))
        for name, value in (
            ("close", 100.0), ("oi", 100), ("volume", 10), ("iv", 0.1), ("delta", sign * 0.5),
            ("gamma", 0.001), ("theta", -5.0), ("vega", 10.0),
        )
    }  # fmt: skip
    return [
        {"j": j, "k": k, "strike": centre + 50.0 * k, **plain, **legs}
        for k in range(-reach, reach + 1)
    ]


def first(frame: pl.DataFrame, column: str):
    return frame[column][0]


def test_nine_valid_legs_of_a_side_are_too_few_and_ten_are_enough():
    rows = strip(0, 24500.0)
    for row in rows:
        if -7 <= row["k"] <= -3:
            row["ce_gamma"] = None
    _, greeks = sections(hand_chain(rows))
    assert first(greeks, "g2_delta_oi_ce") == 10 * 50.0
    rows[-2]["ce_vega"] = 0.0  # rank 7
    _, greeks = sections(hand_chain(rows))
    assert first(greeks, "g2_delta_oi_ce") is None
    assert first(greeks, "g2_delta_oi_pe") == 15 * 50.0


def test_a_leg_of_weight_zero_counts_and_one_without_weight_does_not():
    rows = strip(0, 24500.0)
    for row in rows:
        if row["k"] <= -3:
            row["ce_oi"] = 0
    _, greeks = sections(hand_chain(rows))
    assert first(greeks, "g2_oi_ce") == 1000.0
    for row in rows:
        if row["k"] == -3:
            row["ce_oi"] = None
        if row["k"] in (-4, -5, -6, -7, 7):
            row["ce_oi"] = None
    _, greeks = sections(hand_chain(rows))
    assert first(greeks, "g2_oi_ce") is None


def test_a_net_greek_keeps_a_leg_whose_gamma_is_zero():
    rows = strip(0, 24500.0)
    rows[8] |= {"ce_gamma": 0.0, "ce_delta": 1.0, "ce_oi": 1500}  # rank 0
    _, greeks = sections(hand_chain(rows))
    # 14 calls of 0.5 and one of 1.0, 15 puts of -0.5, 100 lots each but the one of 1,500
    assert first(greeks, "ndelta") == pytest.approx((700 + 1500 - 750) / (1400 + 1500 + 1500))


def test_the_largest_strike_goes_to_the_nearer_and_then_the_lower():
    rows = strip(0, 24500.0)
    for row in rows:
        row["ce_oi"] = {-4: 900, 3: 900, -3: 900}.get(row["k"], 100)
    _, greeks = sections(hand_chain(rows))
    # the forward is 24,500: ranks -3 and 3 are equally near
    assert first(greeks, "g2_pin_strike") == 24350.0
    assert first(greeks, "g2_peak_pos") == 24350.0
    assert first(greeks, "g2_peak_neg") is None  # no strike with more put than call gamma


def test_equal_books_have_their_zero_at_the_forward():
    _, greeks = sections(hand_chain(strip(0, 24500.0)))
    assert first(greeks, "g2_flip") == 0.0
    assert first(greeks, "g2_gamma_net") == 0.0
    assert first(greeks, "g2_gamma_hhi") is None
    assert first(greeks, "g2_peak_pos") is None


@pytest.mark.parametrize(("heavy", "distance"), [("ce", -3.0), ("pe", 3.0)])
def test_a_book_of_one_side_has_no_zero(heavy: str, distance: float):
    light = "pe" if heavy == "ce" else "ce"
    _, greeks = sections(hand_chain(strip(0, 24500.0, **{f"{light}_oi": 0})))
    assert first(greeks, "g2_flip") == distance


def test_puts_below_and_calls_above_turn_between_them():
    rows = strip(0, 24500.0, reach=12)
    for row in rows:
        row["ce_oi"] = 500 if row["k"] == 6 else 0
        row["pe_oi"] = 500 if row["k"] == -2 else 0
    base, greeks = sections(hand_chain(rows))
    flip = first(greeks, "g2_flip")
    # equal legs: the zero lies halfway between 24,400 and 24,800 but for the curvature of ln
    assert flip == pytest.approx(100 * (math.sqrt(24400 * 24800) / 24500 - 1), abs=0.02)
    assert flip == pytest.approx(
        flip_on_the_whole_grid(rows, first(base, "forward"), first(base, "tau")), abs=1e-12
    )


def test_without_a_forward_what_needs_it_is_null_and_the_rest_stands():
    _, greeks = sections(hand_chain(strip(0, 24500.0, ce_close=None)))
    for name in ("g2_vanna_sum_ce", "g2_log_gamma_pe", "g2_flip", "g2_vanna_net", "g2_charm_net"):
        assert first(greeks, name) is None
    for name in ("g2_delta_oi_ce", "g2_gamma_net", "g2_vega_net", "ndelta"):
        assert first(greeks, name) is not None


def test_without_open_interest_only_volume_weights_remain():
    rows = [row for j in range(6) for row in strip(j, 24500.0, ce_oi=None, pe_oi=None)]
    _, greeks = sections(hand_chain(rows))
    left = [name for name in greeks.columns if greeks[name].null_count() < greeks.height]
    assert set(left) == {
        "cell",
        *[f"g2_vol_{s}" for s in ("ce", "pe")],
        *[f"g2_{g}_vol_{s}" for g in GREEKS for s in ("ce", "pe")],
    }
    assert greeks["g2_vol_ce"].to_list()[:6] == [None] * 4 + [15 * 50.0, 15 * 60.0]


def test_nothing_at_t_reads_a_later_row(chain):
    _, whole_day = sections(chain)
    cut = chain.filter(pl.col("ts_minute").dt.hour() * 60 + pl.col("ts_minute").dt.minute()
                       <= START + 25)  # fmt: skip
    _, part = sections(cut)
    early = pl.col("cell") % 375 <= 25
    assert part.filter(early).equals(whole_day.filter(early))


def test_the_bits_do_not_depend_on_what_else_is_in_the_batch(chain):
    _, together = sections(chain)
    for number, expiry in enumerate((NEAR_EXPIRY, FAR_EXPIRY)):
        _, alone = sections(chain.filter(pl.col("expiry_date") == expiry))
        assert alone.drop("cell").equals(together.slice(375 * number, 375).drop("cell"))
