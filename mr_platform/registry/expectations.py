"""Great Expectations judges a frame of the canonical option chain.

Here: the witness of a frame, the run in an ephemeral context, the report.
Not here: which expectations there are (``expectation_suite.py``).

Great Expectations has no Polars engine, and what costs is not the data but its own bookkeeping:
on 169,747 rows, 42 column expectations took 0.20 s of validation and 0.15 s of conversion to
pandas and hashing, of which 0.03 s looked at values. So Polars first reduces the frame in one pass
to a *witness* of a few hundred rows that keeps what each expectation looks at: the least and the
greatest value of a numeric column, the distinct values of a label column, the names of the columns
with nulls or non-finite values, and counts of broken rows. An expectation's verdict on the witness
is its verdict on the frame.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mr_platform.errors import PlatformError
from mr_platform.registry.expectation_suite import (
    COLUMNS_IN_ORDER,
    COLUMNS_NOT_FINITE,
    COLUMNS_WITH_NULLS,
    FACTS,
    NONE_FOUND,
    judged_columns,
)

if TYPE_CHECKING:
    import polars as pl

SESSION_FIRST_MINUTE = 9 * 60 + 15
SESSION_LAST_MINUTE = 15 * 60 + 29
_MINUTES_PER_DAY = 24 * 60
# 15:29 IST is 09:59 UTC
_IST_OFFSET_MINUTES = 5 * 60 + 30


@dataclass(frozen=True)
class ExpectationResult:
    """One judged expectation.

    Attributes:
        column: Canonical column or fact of the frame.
        observed: What Great Expectations observed; None where the column holds no value.
        expected: The expectation's arguments.
    """

    type: str
    column: str
    rule: str
    passed: bool
    observed: Any
    expected: Mapping[str, Any]


@dataclass(frozen=True)
class ExpectationReport:
    """The verdict of one run; ``seconds`` is wall time without the import."""

    passed: bool
    results: tuple[ExpectationResult, ...]
    seconds: float

    @property
    def failed(self) -> tuple[ExpectationResult, ...]:
        """The expectations that did not hold."""
        return tuple(result for result in self.results if not result.passed)


def run_expectations(frame: pl.DataFrame, suite: Sequence[Mapping[str, Any]]) -> ExpectationReport:
    """Judge a canonical option chain by a rendered suite.

    A column without any value passes what is asked of its values: null is judged by the
    never-null columns alone.

    Args:
        frame: Canonical option chain, any number of rows.
        suite: What ``render_expectations`` gave.

    Raises:
        PlatformError: The frame lacks a column that the suite judges.
    """
    runtime = _runtime()
    started = time.perf_counter()
    rendered = [dict(item) for item in suite]
    missing = [name for name in judged_columns(rendered) if name not in frame.columns]
    if missing:
        raise PlatformError(
            f"the frame lacks {', '.join(missing)}, which the expectations judge",
            next_step="Pass the canonical option chain",
        )
    witness, empty = build_witness(frame, judged_columns(rendered))
    asked = [item for item in rendered if item["kwargs"]["column"] not in empty]
    judged = iter(runtime.judge(witness, asked))
    results = tuple(
        _skipped(item) if item["kwargs"]["column"] in empty else next(judged) for item in rendered
    )
    return ExpectationReport(
        passed=all(result.passed for result in results),
        results=results,
        seconds=time.perf_counter() - started,
    )


def _skipped(item: Mapping[str, Any]) -> ExpectationResult:
    kwargs = item["kwargs"]
    return ExpectationResult(item["type"], kwargs["column"], item["meta"]["rule"], True, None,
                             kwargs)  # fmt: skip


def build_witness(
    frame: pl.DataFrame, judged: Sequence[str]
) -> tuple[dict[str, list[Any]], set[str]]:
    """Columns of equal length that decide every expectation, and the columns without a value.

    Args:
        frame: Canonical option chain.
        judged: The columns whose values are judged.
    """
    import polars as pl

    texts = [name for name in judged if frame.schema[name] in (pl.String, pl.Categorical)]
    numbers = [name for name in judged if name not in texts]
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    facts = frame.lazy().select(
        *[pl.col(name).min().alias(f"min {name}") for name in numbers],
        *[pl.col(name).max().alias(f"max {name}") for name in numbers],
        # a sum is finite exactly when every value is (prices, counts and greeks cannot overflow)
        *[pl.col(name).sum().is_finite().alias(f"finite {name}") for name in floats],
        *[pl.col(name).unique().implode().alias(f"values {name}") for name in texts],
        *_facts(frame),
    )
    row = facts.collect().row(0, named=True)
    found: dict[str, list[Any]] = {name: [row[f"min {name}"], row[f"max {name}"]]
                                   for name in numbers}  # fmt: skip
    found |= {name: [v for v in row[f"values {name}"] if v is not None] for name in texts}
    empty = {name for name, values in found.items() if all(v is None for v in values)}
    found |= {fact: [row[fact]] for fact in FACTS}
    with_nulls = [name for name in frame.columns if frame[name].null_count()]
    not_finite = [name for name in floats if not row[f"finite {name}"]]
    found[COLUMNS_IN_ORDER] = [" ".join(frame.columns)]
    found[COLUMNS_WITH_NULLS] = with_nulls or [NONE_FOUND]
    found[COLUMNS_NOT_FINITE] = not_finite or [NONE_FOUND]
    length = max(len(values) for values in found.values())
    witness = {
        name: [*values, *[values[0]] * (length - len(values))]
        for name, values in found.items()
        if name not in empty
    }
    return witness, empty


def _facts(frame: pl.DataFrame) -> list[pl.Expr]:
    """One expression for each fact of the suite, in its order."""
    import polars as pl

    has_order = [
        leg
        for leg in ("ce", "pe", "future")
        if any(frame[f"{leg}_{part}"].null_count() < frame.height for part in ("high", "low"))
    ]
    minute = pl.col("ts_minute").dt.epoch("ms") // 60_000
    of_day = (minute + _IST_OFFSET_MINUTES) % _MINUTES_PER_DAY
    # whole number that names (minute, expiry, strike): 26 bits of hundredths, 22 of days (up to
    # 9999-12-31), and minutes counted from the frame's first; cheaper to count than a struct of
    # three columns
    strike = (pl.col("strike") * 100).round().cast(pl.Int64)
    expiry = pl.col("expiry_date").cast(pl.Int32).cast(pl.Int64)
    key = ((minute - minute.min()) * 4_194_304 + expiry) * 67_108_864 + strike
    first = (pl.col("symbol") == pl.col("symbol").first()).cast(pl.Int64)
    minute_key = (minute - minute.min()) * 2 + first
    spot = (pl.col("spot") * 100).round().cast(pl.Int64)
    return [
        pl.sum_horizontal(*[_order_broken(leg).sum() for leg in has_order], pl.lit(0)).alias(
            "rows_low_high_broken"
        ),
        (pl.col("expiry_date") < pl.col("date")).sum().alias("rows_expired"),
        ((pl.col("expiry_date") - pl.col("date")).dt.total_days() != pl.col("dte"))
        .sum()
        .alias("rows_dte_mismatch"),
        (~of_day.is_between(SESSION_FIRST_MINUTE, SESSION_LAST_MINUTE))
        .sum()
        .alias("rows_outside_session"),
        (pl.len() - (key * 2 + first).n_unique()).alias("rows_of_repeated_key"),
        ((minute_key * 67_108_864 + spot).n_unique() - minute_key.n_unique()).alias(
            "minutes_with_two_spots"
        ),
    ]


def _order_broken(leg: str) -> pl.Expr:
    import polars as pl

    low, high = pl.col(f"{leg}_low"), pl.col(f"{leg}_high")
    broken = low > high
    for part in ("open", "close"):
        price = pl.col(f"{leg}_{part}")
        broken = broken.fill_null(False) | (price < low).fill_null(False)
        broken = broken | (price > high).fill_null(False)
    return broken


class _Runtime:
    """Great Expectations, imported once; suites are kept by the expectations they ask."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # Great Expectations 1.24 imports sre_constants, deprecated since Python 3.11
            warnings.simplefilter("ignore", DeprecationWarning)
            import great_expectations as gx
            from great_expectations.data_context.types.base import (
                DataContextConfig,
                InMemoryStoreBackendDefaults,
                ProgressBarsConfig,
            )

        config = DataContextConfig(
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
            store_backend_defaults=InMemoryStoreBackendDefaults(),
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        asset = context.data_sources.add_pandas("memory").add_dataframe_asset("option_chain")
        self._gx = gx
        self._batches = asset.add_batch_definition_whole_dataframe("witness")
        self._classes: dict[str, Any] = {}
        self._suites: dict[str, Any] = {}

    def judge(
        self, witness: Mapping[str, list[Any]], asked: Sequence[Mapping[str, Any]]
    ) -> list[ExpectationResult]:
        """The results of the asked expectations, in their order."""
        import pandas as pd

        batch = self._batches.get_batch({"dataframe": pd.DataFrame(witness)})
        outcome = batch.validate(self._suite(asked), result_format="BASIC")
        by_key = {(r.expectation_config.meta["place"]): r for r in outcome.results}
        results = []
        for place, item in enumerate(asked):
            judged = by_key[place]
            if not judged.success and not judged.result:
                raise PlatformError(
                    f"Great Expectations could not judge {item['type']} of "
                    f"{item['kwargs']['column']}: {judged.exception_info}"
                )
            observed = judged.result.get("observed_value")
            if observed is None:
                observed = judged.result.get("partial_unexpected_list")
            results.append(
                ExpectationResult(
                    type=item["type"],
                    column=str(item["kwargs"]["column"]),
                    rule=item["meta"]["rule"],
                    passed=bool(judged.success),
                    observed=_plain(observed),
                    expected=item["kwargs"],
                )
            )
        return results

    def _suite(self, asked: Sequence[Mapping[str, Any]]) -> Any:
        key = repr(asked)
        if key not in self._suites:
            expectations = [
                self._class(item["type"])(**item["kwargs"], meta={**item["meta"], "place": place})
                for place, item in enumerate(asked)
            ]
            self._suites[key] = self._gx.ExpectationSuite("option_chain", expectations=expectations)
        return self._suites[key]

    def _class(self, kind: str) -> Any:
        """The expectation class of a type, keeping the configuration it computes.

        Great Expectations rebuilds an expectation's configuration about fifty times a
        validation, which was half of its time (33 expectations: 75 ms against 46 ms).
        """
        if kind not in self._classes:
            from great_expectations.compatibility.pydantic import PrivateAttr

            name = "".join(part.capitalize() for part in kind.split("_"))
            base = getattr(self._gx.expectations, name)

            def configuration(self: Any) -> Any:
                if self._kept is None:
                    self._kept = base.configuration.fget(self)
                return self._kept

            fields = {
                "__module__": __name__,
                "_kept": PrivateAttr(default=None),
                "configuration": property(configuration),
            }
            self._classes[kind] = type(base)(f"Kept{name}", (base,), fields)
        return self._classes[kind]


@lru_cache(maxsize=1)
def _runtime() -> _Runtime:
    return _Runtime()


def _plain(value: Any) -> Any:
    """NumPy scalars as Python's own, lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    return value.item() if hasattr(value, "item") else value
