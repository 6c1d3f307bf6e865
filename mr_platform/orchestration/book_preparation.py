"""What is done to a book's rows before portfolios are searched: regimes, zones, inversion.

Here: the three steps in their order, as settings and stored portfolios name them.
Not here: their rules (``portfolio/regimes``, ``zones``, ``inversion``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import polars as pl

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.inversion import inverted
from mr_platform.portfolio.regimes import RowWeights, Rule, combined, declared_weights
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.zone_windows import (
    ZoneWindows,
    custom_windows,
    equal_windows,
    freeform_windows,
    zones_at,
)
from mr_platform.portfolio.zones import ZoneCube, collapsed, zone_cube, zone_weights
from mr_platform.registry.regimes import load_regimes


@dataclass(frozen=True)
class Preparation:
    """Steps between a book and the returns that are searched.

    Attributes:
        row_rules: Rules of regimes by which rows are left out or weighted, in order.
        zone_mode: ``rows`` takes each row as it is; ``collapsed`` adds the zones of a day up by
            their weights.
        inversion: Whether losing strategies are inverted after that.
        zones: Windows and weights of zones, where they are collapsed.
    """

    row_rules: tuple[str, ...] = ()
    zone_mode: str = "rows"
    inversion: bool = False
    zones: ZoneSettings = field(default_factory=ZoneSettings)

    @classmethod
    def of(cls, order: SearchSettings, zones: ZoneSettings) -> Preparation:
        """Steps that settings ask for."""
        return cls(tuple(order.row_rules), order.zone_mode, order.inversion, zones)

    @classmethod
    def parse(cls, text: str) -> Preparation:
        """Read what :meth:`text` wrote."""
        told = json.loads(text)
        return cls(
            tuple(told.get("row_rules", ())),
            told.get("zone_mode", "rows"),
            bool(told.get("inversion", False)),
            ZoneSettings.model_validate(told.get("zones", {})),
        )

    def text(self) -> str:
        """The steps as JSON; what is not done is left out."""
        told: dict[str, Any] = {}
        if self.row_rules:
            told["row_rules"] = list(self.row_rules)
        if self.zone_mode != "rows":
            told |= {"zone_mode": self.zone_mode, "zones": self.zones.model_dump(mode="json")}
        if self.inversion:
            told["inversion"] = True
        return json.dumps(told, sort_keys=True)

    def returns(self, book: StoredBook) -> StrategyReturns:
        """The returns that are searched.

        Raises:
            PortfolioError: Rules that are not known or that the rows cannot follow, no row that is
                left, zones where the book has none.
        """
        returns, weights = book.returns, self.weights(book)
        labels = book.rows
        if weights is not None:
            returns = weights.kept(returns)
            labels = labels.filter(pl.Series(weights.mask))
            if not returns.rows:
                raise PortfolioError(
                    f"no row of the book is left by: {', '.join(self.row_rules)}",
                    place=book.book,
                    next_step="Ask fewer rules, or land confidences of the rows",
                )
        if self.zone_mode == "collapsed":
            cube = cube_of(returns, labels, self.zones)
            returns = collapsed(cube, zone_weights(cube, self.zones.weights))
        return inverted(returns).returns if self.inversion else returns

    def notes(self, book: StoredBook) -> tuple[str, ...]:
        """What a reader should know: rows that rules left, weights of zones that were not taken."""
        told = []
        weights = self.weights(book)
        labels, returns = book.rows, book.returns
        if weights is not None:
            counts = weights.counts
            told.append(
                f"{weights.rule}: {counts['left_out']} of {counts['rows']} rows left out, "
                f"{counts['scaled_down']} scaled down, {counts['not_told']} tell nothing"
            )
            returns, labels = weights.kept(returns), labels.filter(pl.Series(weights.mask))
        if self.zone_mode == "collapsed":
            found = zone_weights(cube_of(returns, labels, self.zones), self.zones.weights)
            told += [found.warning] if found.warning else []
        return tuple(told)

    def weights(self, book: StoredBook) -> RowWeights | None:
        """Weights of the book's rows by the rules; None without rules."""
        if not self.row_rules:
            return None
        rules = cast(tuple[Rule, ...], self.row_rules)
        return combined(declared_weights(book.rows, load_regimes(), rules))


def cube_of(returns: StrategyReturns, labels: pl.DataFrame, settings: ZoneSettings) -> ZoneCube:
    """Sums by date and zone, zones as the settings say.

    Args:
        returns: Rows by date and zone.
        labels: What the rows say of themselves, in their order.
        settings: Where zones come from.

    Raises:
        PortfolioError: No zones, windows that cannot be.
    """
    windows = zone_windows(settings)
    if windows is None:
        return zone_cube(returns)
    starts = labels["start_time"].str.to_time("%H:%M:%S")
    return zone_cube(returns, zones_at(starts, windows))


def zone_windows(settings: ZoneSettings) -> ZoneWindows | None:
    """Windows of the day that zones are; None where the files name the zones.

    Raises:
        PortfolioError: Windows that overlap, leave a gap or lie outside the session.
    """
    match settings.method:
        case "equal":
            return equal_windows(settings.count)
        case "freeform":
            return freeform_windows(settings.cuts)
        case "custom":
            windows: Mapping[str, tuple[Any, Any]] = settings.windows
            return custom_windows(windows)
        case _:
            return None
