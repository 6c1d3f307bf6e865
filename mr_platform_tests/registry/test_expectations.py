from __future__ import annotations

import datetime as dt
import socket

import polars as pl
import pytest

from mr_platform.errors import PlatformError
from mr_platform.registry.expectation_suite import judged_columns, render_expectations
from mr_platform.registry.expectations import build_witness, run_expectations
from mr_platform.registry.loader import load_registry

POLARS = {
    "String": pl.String,
    "Date": pl.Date,
    "Datetime[us, UTC]": pl.Datetime("us", "UTC"),
    "Float64": pl.Float64,
    "Int64": pl.Int64,
    "Int32": pl.Int32,
    "Boolean": pl.Boolean,
}
LABELS = {24300: ("ITM2", "OTM2"), 24400: ("ITM1", "OTM1"), 24500: ("ATM", "ATM"),
          24600: ("OTM1", "ITM1")}  # fmt: skip


def suite() -> list[dict]:
    return render_expectations(load_registry().raw_chain)


def chain(**changed: object) -> pl.DataFrame:
    """Two minutes, two expiries, four strikes; ``changed`` replaces columns of the first row."""
    start = dt.datetime(2025, 8, 29, 3, 45, tzinfo=dt.UTC)
    rows = []
    for minute in range(2):
        for days in (4, 11):
            for strike, (call, put) in LABELS.items():
                leg = {"open": 50.0, "high": 55.0, "low": 45.0, "close": 52.0, "volume": 750,
                       "oi": 1500, "coi": -75, "iv": 0.12, "gamma": 0.001, "theta": -3.0,
                       "vega": 9.0, "rho": 1.0}  # fmt: skip
                row: dict[str, object] = {
                    "symbol": "NIFTY",
                    "date": dt.date(2025, 8, 29),
                    "ts_minute": start + dt.timedelta(minutes=minute),
                    "expiry_date": dt.date(2025, 8, 29) + dt.timedelta(days=days),
                    "spot": 24480.0 + minute,
                    "atm_strike": 24500.0,
                    "strike": float(strike),
                    "dte": days,
                    "expiry_bucket": "CW" if days == 4 else None,
                    "zone_id": 1,
                    "zone_name": "OPEN",
                    "call_strike_type": call,
                    "put_strike_type": put,
                    "source_rows": 1,
                }
                row |= {f"ce_{k}": v for k, v in leg.items()} | {"ce_delta": 0.5}
                row |= {f"pe_{k}": v for k, v in leg.items()} | {"pe_delta": -0.5}
                rows.append(row)
    rows[0] |= changed
    columns = load_registry().raw_chain.canonical
    for mark in ("spot", "atm", "ce_iv", "pe_iv", "ce_greeks", "pe_greeks"):
        for row in rows:
            row.setdefault(f"{mark}_computed", False)
    data = {c.name: [row.get(c.name) for row in rows] for c in columns}
    return pl.DataFrame(data, schema={c.name: POLARS[c.dtype] for c in columns})


def failed(frame: pl.DataFrame) -> set[tuple[str, str]]:
    return {(r.column, r.rule) for r in run_expectations(frame, suite()).failed}


def test_a_sound_frame_passes_everything():
    report = run_expectations(chain(), suite())
    assert report.failed == ()
    assert report.passed
    assert len(report.results) == len(suite())


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"spot": 0.0}, ("spot", "out_of_range")),
        ({"ce_close": 0.01, "ce_low": 0.01}, ("ce_close", "out_of_range")),
        ({"pe_oi": -1}, ("pe_oi", "out_of_range")),
        ({"ce_iv": 12.0}, ("ce_iv", "iv_out_of_range_nulled")),
        ({"pe_iv": 0.0}, ("pe_iv", "iv_out_of_range_nulled")),
        ({"ce_delta": 1.2}, ("ce_delta", "out_of_range")),
        ({"pe_delta": 0.5}, ("pe_delta", "out_of_range")),
        ({"pe_gamma": -0.1}, ("pe_gamma", "out_of_range")),
        ({"dte": 5}, ("rows_dte_mismatch", "dte_mismatch")),
        ({"zone_id": 6}, ("zone_id", "out_of_range")),
        ({"zone_name": "PRE_OPEN"}, ("zone_name", "out_of_range")),
        ({"expiry_bucket": "CQ"}, ("expiry_bucket", "out_of_range")),
        ({"symbol": "SENSEX"}, ("symbol", "unknown_symbol")),
        ({"call_strike_type": "ITM02"}, ("call_strike_type", "out_of_range")),
        ({"put_strike_type": None}, ("columns_with_nulls", "missing_value")),
        ({"spot": None}, ("columns_with_nulls", "missing_value")),
        ({"ce_theta": float("inf")}, ("columns_not_finite", "not_finite")),
        ({"pe_rho": float("nan")}, ("columns_not_finite", "not_finite")),
        ({"ce_high": 51.0}, ("rows_low_high_broken", "low_high_order")),
        ({"pe_low": 50.5}, ("rows_low_high_broken", "low_high_order")),
        ({"expiry_date": dt.date(2025, 8, 28), "dte": -1}, ("rows_expired", "expiry_before_date")),
        ({"spot": 24481.5}, ("minutes_with_two_spots", "spot_conflict")),
        ({"strike": 24400.0}, ("rows_of_repeated_key", "duplicate_key")),
        (
            {"ts_minute": dt.datetime(2025, 8, 29, 3, 44, tzinfo=dt.UTC)},
            ("rows_outside_session", "outside_session"),
        ),
        (
            {"ts_minute": dt.datetime(2025, 8, 29, 10, 0, tzinfo=dt.UTC)},
            ("rows_outside_session", "outside_session"),
        ),
        ({"source_rows": 0}, ("source_rows", "out_of_range")),
    ],
    ids=str,
)
def test_great_expectations_finds_the_fault_of_one_row(changed, fault):
    assert fault in failed(chain(**changed))


def test_the_last_minute_of_the_session_is_inside_it():
    last = dt.datetime(2025, 8, 29, 9, 59, tzinfo=dt.UTC)
    assert failed(chain(ts_minute=last)) == set()


def test_observed_values_are_told_for_a_failure():
    report = run_expectations(chain(ce_delta=1.2, ce_theta=float("inf")), suite())
    observed = {r.column: r.observed for r in report.failed}
    assert observed["ce_delta"] == 1.2
    assert observed["columns_not_finite"] == ("ce_theta",)


def test_columns_without_any_value_pass_and_are_not_asked():
    frame = chain().with_columns(
        pl.lit(None, pl.Float64).alias("ce_iv"), pl.lit(None, pl.String).alias("expiry_bucket")
    )
    report = run_expectations(frame, suite())
    assert report.passed
    unasked = {r.column for r in report.results if r.observed is None and "max" not in r.type}
    assert {"ce_iv", "expiry_bucket", "future_low", "future_volume"} <= unasked


def test_an_empty_frame_passes():
    assert run_expectations(chain().clear(), suite()).passed


def test_columns_out_of_order_or_beyond_the_declared_fail():
    frame = chain()
    assert ("columns_in_order", "malformed_row") in failed(frame.select(reversed(frame.columns)))
    assert ("columns_in_order", "malformed_row") in failed(frame.with_columns(extra=pl.lit(1)))


def test_a_frame_without_a_judged_column_is_an_error_that_names_it():
    with pytest.raises(PlatformError, match="the frame lacks ce_iv"):
        run_expectations(chain().drop("ce_iv"), suite())


def test_the_witness_keeps_what_decides_a_verdict():
    frame = chain(ce_close=53.5, pe_close=None)
    witness, empty = build_witness(frame, judged_columns(suite()))
    assert {min(witness["ce_close"]), max(witness["ce_close"])} == {52.0, 53.5}
    assert set(witness["call_strike_type"]) == {"ITM2", "ITM1", "ATM", "OTM1"}
    assert "pe_close" in witness["columns_with_nulls"]
    assert {"future_low", "future_oi"} <= empty
    assert len({len(values) for values in witness.values()}) == 1


def test_a_run_touches_neither_network_nor_files(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert run_expectations(chain(), suite()).passed
    assert list(tmp_path.iterdir()) == []


def test_suites_of_different_frames_do_not_mix():
    assert failed(chain(pe_oi=-1)) == {("pe_oi", "out_of_range")}
    assert failed(chain()) == set()
    assert failed(chain(ce_oi=-1)) == {("ce_oi", "out_of_range")}
