"""What is done to a book's rows before portfolios are searched: regimes, zones, inversion.

Here: the steps in their order, as settings and stored portfolios name them; the last dates, which
searches do not see.
Not here: their rules (``portfolio/regimes``, ``zones``, ``inversion``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import polars as pl

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.inversion import inverted
from mr_platform.portfolio.regimes import RowWeights, Rule, combined, declared_weights
from mr_platform.portfolio.returns import Matrix, PortfolioError, StrategyReturns
from mr_platform.portfolio.zone_windows import (
    ZoneWindows,
    custom_windows,
    equal_windows,
    freeform_windows,
    zones_at,
)
from mr_platform.portfolio.zones import (
    ZoneCube,
    ZoneWeights,
    collapsed,
    zone_cube,
    zone_weights,
)
from mr_platform.registry.regimes import load_regimes

REGIME_RULE = "regime"
"""The rule that multipliers of regimes belong to."""

LEAST_SEARCHED = 2
"""Dates that are left to search where others are held out."""


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows of a book with what they say of themselves.

    Attributes:
        returns: The returns.
        labels: Stored rows of the same dates and zones, in their order.
    """

    returns: StrategyReturns
    labels: pl.DataFrame

    def part(self, first: int, end: int) -> LabelledRows:
        """Rows from one place up to another."""
        whole = self.returns
        zones = None if whole.zones is None else whole.zones[first:end]
        return LabelledRows(
            StrategyReturns(whole.pnl[first:end], whole.names, whole.dates[first:end], zones),
            self.labels[first:end],
        )


@dataclass(frozen=True)
class Preparation:
    """Steps between a book and the returns that are searched.

    Attributes:
        row_rules: Rules of regimes by which rows are left out or weighted, in order.
        zone_mode: ``rows`` takes each row as it is; ``collapsed`` adds the zones of a day up by
            their weights.
        inversion: Whether losing strategies are inverted after that.
        zones: Windows and weights of zones, where they are collapsed.
        regime_multipliers: Multipliers by family in place of the declared ones, where the rule
            ``regime`` is among the rules.
        holdout: Share of the last dates that searches do not see.
    """

    row_rules: tuple[str, ...] = ()
    zone_mode: str = "rows"
    inversion: bool = False
    zones: ZoneSettings = field(default_factory=ZoneSettings)
    regime_multipliers: Mapping[str, float] = field(default_factory=dict)
    holdout: float = 0.0

    @classmethod
    def of(cls, order: SearchSettings, zones: ZoneSettings) -> Preparation:
        """Steps that settings ask for."""
        rules = tuple(order.row_rules)
        multipliers = order.regime_multipliers if REGIME_RULE in rules else {}
        return cls(rules, order.zone_mode, order.inversion, zones, multipliers, order.holdout)

    @classmethod
    def parse(cls, text: str) -> Preparation:
        """Read what :meth:`text` wrote."""
        told = json.loads(text)
        return cls(
            tuple(told.get("row_rules", ())),
            told.get("zone_mode", "rows"),
            bool(told.get("inversion", False)),
            ZoneSettings.model_validate(told.get("zones", {})),
            told.get("regime_multipliers", {}),
            float(told.get("holdout", 0.0)),
        )

    def text(self) -> str:
        """The steps as JSON; what is not done is left out."""
        told: dict[str, Any] = {}
        if self.row_rules:
            told["row_rules"] = list(self.row_rules)
        if self.regime_multipliers:
            told["regime_multipliers"] = dict(self.regime_multipliers)
        if self.zone_mode != "rows":
            told |= {"zone_mode": self.zone_mode, "zones": self.zones.model_dump(mode="json")}
        if self.holdout:
            told["holdout"] = self.holdout
        if self.inversion:
            told["inversion"] = True
        return json.dumps(told, sort_keys=True)

    def sentence(self) -> str:
        """The steps as a sentence; empty where nothing is done."""
        steps = self.steps()
        return f"before the search {'; '.join(steps)}" if steps else ""

    def steps(self) -> list[str]:
        """The steps for people, in their order."""
        steps = []
        if self.holdout:
            steps.append(f"the last {100 * self.holdout:g} % of the dates were held out")
        if self.row_rules:
            by = f", {_listed(self.regime_multipliers)}" if self.regime_multipliers else ""
            steps.append(f"rows were left out or weighted by: {', '.join(self.row_rules)}{by}")
        if self.zone_mode == "collapsed":
            steps.append(f"the zones of a day were added up, {_weighed(self.zones.weights)}")
        if self.inversion:
            steps.append("strategies that lose on the rows searched were inverted")
        return steps

    def returns(self, book: StoredBook) -> StrategyReturns:
        """The returns that are searched: none of the dates that are held out.

        Raises:
            PortfolioError: Rules that are not known or that the rows cannot follow, no row that is
                left, zones where the book has none, too few dates to hold some out.
        """
        searched = self._by_day(self.rows(book), book)
        return inverted(searched).returns if self.inversion else searched

    def rows(self, book: StoredBook) -> LabelledRows:
        """Rows that are searched, after the rules and before zones are added up.

        Raises:
            PortfolioError: As :meth:`returns`.
        """
        searched, later = self._split(book)
        if later is None:
            return self._ruled(searched, "row", book)
        # a search that nothing could be judged by afterwards is refused before it begins
        self._ruled(later, "held-out row", book)
        left = self._ruled(searched, "row", book)
        dates = np.unique(left.returns.dates).size
        if dates < LEAST_SEARCHED:
            raise PortfolioError(
                f"{dates} searched date is left by: {', '.join(self.row_rules)}",
                place=book.book,
                next_step="Ask fewer rules, or hold out a smaller share of the dates",
            )
        return left

    def held_out(self, book: StoredBook) -> StrategyReturns | None:
        """The same strategies on the dates that are held out; None where none are.

        Which strategies are inverted, and how zones weigh, is decided by the rows searched; a zone
        that these do not have weighs nothing.

        Raises:
            PortfolioError: As :meth:`returns`.
        """
        before, rest = self._split(book)
        if rest is None:
            return None
        searched = self._ruled(before, "row", book)
        return self._alike(searched, self._ruled(rest, "held-out row", book), book)

    def raw_and_weighted(self, book: StoredBook) -> tuple[StrategyReturns, StrategyReturns] | None:
        """All rows of the dates searched, before the rules and after; None without rules.

        A row that is left out is one of 0 after the rules. Zones and inversion are as they are for
        the search.

        Raises:
            PortfolioError: As :meth:`returns`.
        """
        whole = self._split(book)[0]
        with _faults_of(book):
            weights = self.weights(whole.labels)
        if weights is None:
            return None
        searched = self._ruled(whole, "row", book)
        after = LabelledRows(weights.weighted(whole.returns), whole.labels)
        return self._alike(searched, whole, book), self._alike(searched, after, book)

    def exposure(self, book: StoredBook) -> Matrix | None:
        """Share of the capital that rules leave at work on the dates searched; None without rules.

        One a row, also of rows that are left out: 0. Where zones are added up one a date: the mean
        of its rows, each weighing as its zone; a date of no zone that weighs has none.

        Raises:
            PortfolioError: As :meth:`returns`.
        """
        whole = self._split(book)[0]
        with _faults_of(book):
            weights = self.weights(whole.labels)
        if weights is None or self.zone_mode != "collapsed":
            return None if weights is None else weights.exposure
        both = np.column_stack([weights.exposure, np.ones(weights.exposure.size)])
        pair = StrategyReturns(both, ("at work", "rows"), whole.returns.dates, whole.returns.zones)
        upright = replace(self, inversion=False)
        searched = self._ruled(whole, "row", book)
        days = upright._alike(searched, LabelledRows(pair, whole.labels), book).pnl
        days = days[days[:, 1] > 0]
        # a date of full exposure may pass 1 by the rounding of its zones' weights
        shares: Matrix = np.minimum(days[:, 0] / days[:, 1], 1.0)
        return shares

    def notes(self, book: StoredBook) -> tuple[str, ...]:
        """What a reader should know: rows that rules left, weights of zones that were not taken."""
        told = []
        searched, _ = self._split(book)
        with _faults_of(book):
            weights = self.weights(searched.labels)
        if weights is not None:
            counts = weights.report().row(0, named=True)
            told.append(
                f"{counts['rule']}: {counts['left_out']} of {counts['rows']} rows left out, "
                f"{counts['scaled_down']} scaled down, {counts['scaled_up']} scaled up, "
                f"{counts['not_told']} tell nothing; on average {100 * counts['mean_cash']:.0f} % "
                "of the capital is cash"
            )
        if self.zone_mode == "collapsed":
            rows = self._ruled(searched, "row", book)
            found = zone_weights(cube_of(rows, self.zones, book), self.zones.weights)
            told += [found.warning] if found.warning else []
        return tuple(told)

    def weights(self, labels: pl.DataFrame) -> RowWeights | None:
        """Weights of rows by the rules; None without rules.

        Raises:
            PortfolioError: Rules or families that are not known, rows that lack what rules ask for.
        """
        if not self.row_rules:
            return None
        rules = cast(tuple[Rule, ...], self.row_rules)
        return combined(declared_weights(labels, load_regimes(), rules, self.regime_multipliers))

    def _split(self, book: StoredBook) -> tuple[LabelledRows, LabelledRows | None]:
        """Rows of the dates that are searched, and of those that are held out."""
        whole = LabelledRows(book.returns, book.rows)
        if not self.holdout:
            return whole, None
        dates = np.unique(book.returns.dates)
        held = max(1, math.floor(self.holdout * dates.size + 0.5))
        if dates.size - held < LEAST_SEARCHED:
            raise PortfolioError(
                f"a share of {self.holdout:g} holds out {held} of {dates.size} dates and leaves "
                f"fewer than {LEAST_SEARCHED} to search",
                place=book.book,
                next_step="Hold out a smaller share (--holdout, portfolio.search.holdout), or load "
                "more dates",
            )
        first = int(np.searchsorted(book.returns.dates, dates[dates.size - held]))
        return whole.part(0, first), whole.part(first, book.returns.rows)

    def _ruled(self, rows: LabelledRows, what: str, book: StoredBook) -> LabelledRows:
        with _faults_of(book):
            weights = self.weights(rows.labels)
        if weights is None:
            return rows
        if not weights.mask.any():
            raise PortfolioError(
                f"no {what} of the book is left by: {', '.join(self.row_rules)}",
                place=book.book,
                next_step="Ask fewer rules, or load its files with bars that tell confidences: "
                f"mr portfolio load FILE --book {book.book} --regimes BARS",
            )
        return LabelledRows(weights.kept(rows.returns), rows.labels.filter(pl.Series(weights.mask)))

    def _by_day(self, rows: LabelledRows, book: StoredBook) -> StrategyReturns:
        if self.zone_mode != "collapsed":
            return rows.returns
        cube = cube_of(rows, self.zones, book)
        with _faults_of(book):
            return collapsed(cube, zone_weights(cube, self.zones.weights))

    def _alike(
        self, searched: LabelledRows, others: LabelledRows, book: StoredBook
    ) -> StrategyReturns:
        """Other rows as those searched are: zones weigh and strategies are inverted as there."""
        rows = others.returns
        if self.zone_mode == "collapsed":
            known = cube_of(searched, self.zones, book)
            weights = zone_weights(known, self.zones.weights).weights
            shares = dict(zip(known.zones, weights.tolist(), strict=True))
            cube = cube_of(others, self.zones, book)
            rows = collapsed(
                cube, ZoneWeights(np.array([shares.get(zone, 0.0) for zone in cube.zones]))
            )
        return inverted(self._by_day(searched, book)).alike(rows) if self.inversion else rows


def cube_of(rows: LabelledRows, settings: ZoneSettings, book: StoredBook) -> ZoneCube:
    """Sums by date and zone, zones as the settings say.

    Args:
        rows: Rows by date and zone.
        settings: Where zones come from.
        book: The book that they are of, for messages.

    Raises:
        PortfolioError: No zones, windows that cannot be.
    """
    load = "load a file that tells it, as a book of its own: mr portfolio load FILE --book NAME"
    whole_days = f"Search whole days (mr portfolio optimize {book.book} --zones rows), or {load}"
    with _faults_of(book):
        windows = zone_windows(settings)
        if windows is None:
            if rows.returns.zones is None:
                raise PortfolioError("its rows name no zone of the day", next_step=whole_days)
            return zone_cube(rows.returns)
        starts = rows.labels["start_time"].str.to_time("%H:%M:%S")
        if starts.is_null().all():
            raise PortfolioError(
                "its rows tell no start, so that none of them lies in a window of the day "
                "(portfolio.zones)",
                next_step=whole_days,
            )
        return zone_cube(rows.returns, zones_at(starts, windows))


@contextmanager
def _faults_of(book: StoredBook) -> Iterator[None]:
    """Say of which book a fault is, where it does not say it itself."""
    try:
        yield
    except PortfolioError as fault:
        if fault.place is not None:
            raise
        raise PortfolioError(
            fault.fault, place=book.book, next_step=fault.next_step, misused=fault.misused
        ) from fault


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


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} × {value:g}" for name, value in sorted(values.items()))


def _weighed(weights: tuple[float, ...] | Mapping[str, float] | None) -> str:
    if weights is None:
        return "all alike"
    told = (
        (f"{name} {weight:g}" for name, weight in weights.items())
        if isinstance(weights, Mapping)
        else (f"{weight:g}" for weight in weights)
    )
    return f"weighed {', '.join(told)}"
