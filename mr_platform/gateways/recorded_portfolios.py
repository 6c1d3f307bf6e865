"""Reading the folder of recorded figures: JSON, Parquet and CSV to plain data, checked in form.

Here: files to dictionaries and frames; files that are missing, damaged or of another form.
Not here: what the figures mean and ours beside them (``portfolio/recorded_figures``).
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.registry.recorded_figures import RecordedFigures

_T = TypeVar("_T")

_METRICS = ("col_index", "strategy", "ROI", "Max Drawdown", "Win Percentage", "Profit Factor",
            "Expectancy")  # fmt: skip
_PORTFOLIO = ("size", "method", "fitness", "total_roi", "max_drawdown", "win_percentage",
              "profit_factor", "expectancy", "sharpe_ratio", "sortino_ratio", "annualized_return",
              "strategies", "col_index")  # fmt: skip
_LATER = ("run", "algorithm", "fitness", "total_return", "volatility", "sharpe", "strategies",
          "col_index")  # fmt: skip
_GOLDEN = ("golden", "corr", "ulta", "algorithm_runs_seed42_size37")
_GOLDEN_SET = "small_2500"
_DAYS = ("source", "Date", "portfolio_drawdown")
_LABELS = ("Date", "Day")


@dataclass(frozen=True, eq=False)
class RecordedPortfolios:
    """The recorded figures of one folder.

    Attributes:
        strategy_metrics: Recorded figures of strategies under their recorded names, with
            ``col_index``, the column of the production file, and ``strategy``.
        portfolios: The best portfolio of each size.
        later_portfolios: The portfolios of the later program.
        golden: What the legacy program gave on the file of ``golden_strategies``.
        golden_strategies: Names of that file's strategies, in its order.
        universe: Profit and loss of all strategies on ten days: ``col_index``, ``strategy`` and
            one column a day.
        universe_days: Those days: ``source``, ``Date`` (as the columns are named) and
            ``portfolio_drawdown``, null where none is recorded.
    """

    strategy_metrics: pl.DataFrame
    portfolios: Sequence[Mapping[str, Any]]
    later_portfolios: Sequence[Mapping[str, Any]]
    golden: Mapping[str, Any]
    golden_strategies: tuple[str, ...]
    universe: pl.DataFrame
    universe_days: pl.DataFrame


def read_recorded(folder: Path, declared: RecordedFigures) -> RecordedPortfolios:
    """All recorded figures of a folder.

    Args:
        folder: Where the declared files lie.
        declared: Their names.

    Raises:
        InputFileError: A file that is missing, damaged, or lacks what it should hold.
    """
    lacking = [name for name in declared.files.values() if not (folder / name).is_file()]
    if lacking:
        raise InputFileError(
            f"lacks {len(lacking)} files of recorded figures: {', '.join(lacking)}",
            place=str(folder),
            next_step="Name the folder that holds them, or copy them there",
        )
    at = {kind: folder / name for kind, name in declared.files.items()}
    metrics = _read(at["strategy_metrics"], pl.read_parquet)
    _need(metrics.columns, _METRICS, at["strategy_metrics"])
    run = _mapping(_read(at["portfolios"], _json), ("portfolios",), at["portfolios"])
    portfolios = _entries(run["portfolios"], _PORTFOLIO, at["portfolios"])
    later = _entries(_read(at["later_portfolios"], _json), _LATER, at["later_portfolios"])
    golden = _mapping(_read(at["golden"], _json), (_GOLDEN_SET,), at["golden"])[_GOLDEN_SET]
    golden = _mapping(golden, _GOLDEN, at["golden"])
    days = _read(at["universe_days"], pl.read_csv)
    _need(days.columns, _DAYS, at["universe_days"])
    universe = _read(at["universe"], pl.read_parquet)
    _need(universe.columns, ("col_index", "strategy", *days["Date"]), at["universe"])
    return RecordedPortfolios(
        strategy_metrics=metrics,
        portfolios=portfolios,
        later_portfolios=later,
        golden=golden,
        golden_strategies=_read(at["golden_strategies"], _header),
        universe=universe,
        universe_days=days,
    )


def recorded_days(folder: Path, declared: RecordedFigures) -> npt.NDArray[np.datetime64]:
    """Days of the file that the record was made from, ascending.

    Raises:
        InputFileError: That file cannot be read.
    """
    path = folder / declared.files["golden_strategies"]
    try:
        days = pl.read_csv(path, columns=["Date"], try_parse_dates=True)["Date"].cast(pl.Date)
    except (OSError, pl.exceptions.PolarsError) as unread:
        raise InputFileError(
            f"its days cannot be read: {(str(unread).splitlines() or ['no reason told'])[0]}",
            place=path.name,
            next_step="Copy the file again from the source",
        ) from unread
    return np.sort(days.to_numpy().astype("datetime64[D]"))


def _read(path: Path, reader: Callable[[Path], _T]) -> _T:
    try:
        return reader(path)
    except (OSError, ValueError, EOFError, zlib.error, csv.Error, StopIteration) as damaged:
        raise _fault(path, f"is damaged ({_first_line(damaged)})") from damaged
    except pl.exceptions.PolarsError as damaged:
        raise _fault(path, f"is damaged ({_first_line(damaged)})") from damaged


def _json(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)


def _header(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8", newline="") as source:
        return tuple(name for name in next(csv.reader(source)) if name not in _LABELS)


def _entries(found: Any, names: Sequence[str], path: Path) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not found:
        raise _fault(path, "holds no list of portfolios")
    return [_mapping(entry, names, path) for entry in found]


def _mapping(found: Any, names: Sequence[str], path: Path) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _fault(path, f"holds {type(found).__name__} where names should stand")
    _need(found, names, path)
    return found


def _need(found: Iterable[str], names: Sequence[str], path: Path) -> None:
    missing = [name for name in names if name not in set(found)]
    if missing:
        raise _fault(path, f"lacks {', '.join(missing[:5])}" + " …" * (len(missing) > 5))


def _fault(path: Path, told: str) -> InputFileError:
    return InputFileError(
        told, place=str(path), next_step="Copy the file again from where it is kept"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
