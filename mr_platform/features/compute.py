"""From a minute panel to the rows of a component's table, exactly as the registry declares them.

Here: which module computes which component, and the form of what is stored.
Not here: formulas, loading of inputs, ranges (checked by ``orchestration/``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from mr_platform.errors import PlatformError
from mr_platform.features.c1_triple_straddle import c1_features
from mr_platform.features.c2_greeks_sentiment import c2_features
from mr_platform.features.c3_oi_price_action import c3_features
from mr_platform.features.c4_iv_skew import c4_features
from mr_platform.features.c5_atr_ema_cpr import c5_features
from mr_platform.features.c6_correlation import c6_features
from mr_platform.features.c7_levels import c7_features
from mr_platform.features.c8_integration import c8_features
from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import INDEX
from mr_platform.features.inputs import FeatureInputs
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import FeatureColumn

FEATURE_FUNCTIONS: Mapping[str, Callable[[FeatureInputs], pl.DataFrame]] = {
    "c1": c1_features,
    "c2": c2_features,
    "c3": c3_features,
    "c4": c4_features,
    "c5": c5_features,
    "c6": c6_features,
    "c7": c7_features,
    "c8": c8_features,
}
"""The function of each component; each returns the panel's rows in the panel's order."""

TABLE_KEYS: tuple[str, ...] = ("symbol", "ts_minute", "date", "dte", "zone_name")


class FeatureShapeError(PlatformError):
    """A component returned other rows or columns than it declares: a fault of the program."""


def compute_component(
    component: str, inputs: FeatureInputs, *, feature_version: str
) -> pl.DataFrame:
    """Rows of a component's table for the partitions of the panel.

    Args:
        component: ``c1`` … ``c8``.
        inputs: What it reads.
        feature_version: Code version written into every row.

    Returns:
        Keys, the declared columns in declared order and type, feature_version; one row for each
        minute and expiry that the chain quotes, ascending by symbol, date, ts_minute, dte.

    Raises:
        FeatureShapeError: The component's rows or columns are not the declared ones.
    """
    declared = load_registry().components[component].columns
    features = FEATURE_FUNCTIONS[component](inputs)
    _require_shape(component, declared, features, inputs.panel.height)
    types = features.schema
    finished = features.select([_finished(column, types[column.name]) for column in declared])
    table = inputs.panel.select(TABLE_KEYS).hstack(finished.get_columns())
    quoted = inputs.panel.select(
        DAY, INDEX, "dte", pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), "present"
    ).filter("present")
    # u and j ascend as symbol, date and ts_minute do, and numbers sort faster
    rows = quoted.sort(DAY, INDEX, "dte").get_column("row")
    return table[rows].with_columns(feature_version=pl.lit(feature_version))


def _finished(column: FeatureColumn, dtype: pl.DataType) -> pl.Expr:
    """A declared column: its type, and null for anything that is no finite number."""
    value = pl.col(column.name)
    if dtype.is_float():
        value = pl.when(value.is_finite()).then(value)
    return value.cast(pl.Int64 if column.dtype == "INT64" else pl.Float64)


def _require_shape(
    component: str, declared: tuple[FeatureColumn, ...], features: pl.DataFrame, height: int
) -> None:
    found = set(features.columns)
    missing = [column.name for column in declared if column.name not in found]
    if missing or features.height != height:
        raise FeatureShapeError(
            f"{len(missing)} declared columns are missing ({', '.join(missing[:5])}) and "
            f"{features.height} rows stand for {height} panel rows",
            place=component,
            next_step="This is a fault of the program: report it with the command that was run",
        )
