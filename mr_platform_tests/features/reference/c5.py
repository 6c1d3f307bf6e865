"""Reference of component 5: ATR, EMA and central pivot range, minute by minute."""

from __future__ import annotations

import datetime
import itertools
import math
from dataclasses import dataclass

from mr_platform_tests.features.reference.c5_pairs import beta, combine, directional_index
from mr_platform_tests.features.reference.day import Day, History, Result
from mr_platform_tests.features.reference.plain import (
    ln,
    mean,
    percentile,
    ratio,
    sign_of_difference,
    std,
)
from mr_platform_tests.features.reference.streams import (
    BUCKETS,
    MINUTES,
    Bars,
    Past,
    Series,
    Triple,
    Value,
    atr_percent,
    atr_points,
    open_value,
    read_past,
    root_mean_square,
    so_far,
    span_ema,
    straddle_bars,
    today,
    underlying_bars,
    valid_in,
)

SPANS = (20, 50, 100, 200)
ANNUAL = math.sqrt(252 * 375)
Columns = dict[str, Series]
Held = list[tuple[Value, int | None]]


@dataclass
class Pivot:
    """Central pivot range of one earlier day or week."""

    pp: float
    bc: float
    tc: float
    span: float  # H - L

    @property
    def width(self) -> Value:
        """Width in percent of the pivot."""
        share = ratio(abs(self.tc - self.bc), self.pp)
        return None if share is None else 100 * share


def pivot_of(bar: Triple | None) -> Pivot | None:
    """Pivot lines of a high, low, close."""
    if bar is None:
        return None
    high, low, close = bar
    pp = (high + low + close) / 3
    bc = (high + low) / 2
    return Pivot(pp, bc, 2 * pp - bc, high - low)


@dataclass
class Asset:
    """What the columns of one asset are built from; expiry is None for the underlying."""

    name: str
    day: Day
    past: Past
    bars: Bars
    held: Held
    expiry: datetime.date | None
    bucket: str | None

    def bar(self, n: int) -> Triple | None:
        """High, low, close of the n-th previous trading day."""
        if self.expiry is None:
            return self.past.spot_bar(n)
        return self.past.bar(n, self.expiry, "strd")

    def week(self) -> Triple | None:
        """High, low, close of the previous ISO week."""
        return self.past.week(self.day.date, self.expiry)


# ---------------------------------------------------------------- ATR


def atr_columns(asset: Asset, out: Columns) -> None:
    """ATR in percent, its percentile, ratio, change and variation."""
    name = asset.name
    for n in (14, 21, 50):
        now = today(atr_percent(asset.bars, n))
        out[f"c5_atr_{n}_{name}"] = now
        out[f"c5_atr_{n}_{name}_pctl_20d"] = [
            percentile(now[j], zone_means(asset, n, j), 5) for j in range(MINUTES)
        ]
    atr = out[f"c5_atr_14_{name}"]
    slow = out[f"c5_atr_50_{name}"]
    out[f"c5_atr_ratio_14_50_{name}"] = [ratio(atr[j], slow[j]) for j in range(MINUTES)]
    out[f"c5_atr_change_15m_{name}"] = [
        ln(ratio(atr[j], atr[j - 15])) if j >= 15 else None for j in range(MINUTES)
    ]
    out[f"c5_atr_cv_60m_{name}"] = [variation(valid_in(atr, j, 60), 40) for j in range(MINUTES)]


def variation(values: list[float], least: int) -> Value:
    """Standard deviation (ddof 1) over the mean."""
    return ratio(std(values, 1, least), mean(values))


def zone_means(asset: Asset, n: int, j: int) -> list[float]:
    """Means of the same zone on the previous 20 trading days; the straddle's by bucket."""
    column = f"atrp_{n}_{asset.name}"
    buckets = BUCKETS if asset.bucket is None else (asset.bucket,)
    values = []
    for back in range(1, 21):
        for bucket in buckets:
            row = asset.past.zone_rows.get((back, bucket, asset.day.zone(j)))
            if row is not None and row[column] is not None:
                values.append(row[column])
                break
    return values


def daily_ranges(asset: Asset, n: int) -> list[float]:
    """100*TR_d/C_{d-1} of the n-th previous day: spot's, or of each expiry then in the bucket."""
    if asset.expiry is None:
        pairs = [(asset.past.spot_bar(n), asset.past.spot_bar(n + 1))]
    else:
        pairs = [
            (asset.past.bar(n, expiry, "strd"), asset.past.bar(n + 1, expiry, "strd"))
            for expiry in asset.past.expiries(n)
            if asset.past.daily_rows[(n, expiry)]["dte_bucket"] == asset.bucket
        ]
    values = []
    for bar, before in pairs:
        if bar is None or before is None:
            continue
        share = ratio(max(bar[0], before[2]) - min(bar[1], before[2]), before[2])
        if share is not None:
            values.append(100 * share)
    return values


def daily_atr(asset: Asset, days: int) -> Value:
    """Mean daily range of the previous days, each day the mean of its bucket."""
    values = [mean(v) for v in (daily_ranges(asset, n) for n in range(1, days + 1)) if v]
    return mean(values) if len(values) >= math.ceil(2 * days / 3) else None


def daily_columns(asset: Asset, out: Columns) -> None:
    """Daily ATR and the share of it that today's range has used."""
    name = asset.name
    price = today(asset.bars.price)
    for days in (5, 14):
        out[f"c5_atr_daily_{days}d_{name}"] = [daily_atr(asset, days)] * MINUTES
    usual = daily_atr(asset, 14)
    opened = open_value(price)
    used: Series = []
    for j in range(MINUTES):
        seen = so_far(price, j)
        share = ratio(max(seen) - min(seen), opened) if seen else None
        used.append(ratio(None if share is None else 100 * share, usual))
    out[f"c5_range_used_{name}"] = used


# ---------------------------------------------------------------- EMA


def ema_columns(asset: Asset, out: Columns, emas: dict[int, Series], points: Series) -> None:
    """Distance, slope, order and spread of the four EMAs."""
    name = asset.name
    price = today(asset.bars.price)
    now = {span: today(emas[span]) for span in SPANS}
    for span in SPANS:
        ema = now[span]
        shares = [ratio(price[j], ema[j]) for j in range(MINUTES)]
        out[f"c5_ema_dist_{span}_{name}"] = [None if s is None else 100 * (s - 1) for s in shares]
        out[f"c5_ema_slope_{span}_{name}"] = [
            ratio(change(ema, j, 5), points[j]) for j in range(MINUTES)
        ]
    alignment: Series = []
    ribbon: Series = []
    for j in range(MINUTES):
        lines = [now[span][j] for span in SPANS]
        signs = [sign_of_difference(a, b) for a, b in itertools.pairwise(lines)]
        complete = not any(line is None for line in lines)
        alignment.append(sum(signs) if complete else None)
        ribbon.append(ratio(max(lines) - min(lines), points[j]) if complete else None)
    out[f"c5_ema_alignment_{name}"] = alignment
    out[f"c5_ema_ribbon_width_{name}"] = ribbon
    out[f"c5_ema_cross_age_{name}"] = today(cross_age(emas[20], emas[50]))


def change(values: Series, j: int, minutes: int) -> Value:
    """Change over some minutes inside the session."""
    if j < minutes or values[j] is None or values[j - minutes] is None:
        return None
    return values[j] - values[j - minutes]


def age_of(values: Series, cap: int) -> Series:
    """Minutes since the value last differed from the valid value before it; null while null."""
    ages: Series = []
    last: Value = None
    since = 0
    for i, value in enumerate(values):
        if value is None:
            ages.append(None)
            continue
        if last is None or value != last:
            since = i
        last = value
        ages.append(min(i - since, cap))
    return ages


def cross_age(fast: Series, slow: Series) -> Series:
    """Minutes of the stream since the order of two EMAs changed."""
    return age_of([sign_of_difference(a, b) for a, b in zip(fast, slow, strict=True)], 750)


def ema_daily(day: Day, past: Past, out: Columns) -> None:
    """Distance of spot from the EMA of the daily closes of D-1..D-20."""
    for span, least in ((5, 5), (20, 20)):
        weight, total, k = 0.0, 0.0, 0
        for n in range(1, 21):
            bar = past.spot_bar(n)
            if bar is None:
                continue
            w = (1 - 2 / (span + 1)) ** k
            total += w * bar[2]
            weight += w
            k += 1
        line = total / weight if k >= least else None
        shares = [ratio(day.spot(j), line) for j in range(MINUTES)]
        out[f"c5_ema_daily_dist_{span}d_und"] = [
            None if share is None else 100 * (share - 1) for share in shares
        ]


# ---------------------------------------------------------------- CPR


def cpr_columns(asset: Asset, out: Columns) -> None:
    """Width, position and zone of the daily and the weekly range, and what hangs on them."""
    name = asset.name
    price = today(asset.bars.price)
    for frame, bar in (("daily", asset.bar(1)), ("weekly", asset.week())):
        pivot = pivot_of(bar)
        width = None if pivot is None else pivot.width
        out[f"c5_cpr_width_{frame}_{name}"] = [width] * MINUTES
        out[f"c5_cpr_pos_{frame}_{name}"] = [
            None if pivot is None or p is None else ratio(p - pivot.pp, pivot.span) for p in price
        ]
        out[f"c5_cpr_zone_{frame}_{name}"] = [cpr_zone(p, pivot) for p in price]
    width = out[f"c5_cpr_width_daily_{name}"][0]
    rank = percentile(width, past_widths(asset), 5)
    out[f"c5_cpr_width_pctl_20d_{name}"] = [rank] * MINUTES
    newer, older = pivot_of(asset.bar(1)), pivot_of(asset.bar(2))
    shift = None if newer is None or older is None else ratio(newer.pp - older.pp, newer.span)
    out[f"c5_cpr_shift_{name}"] = [shift] * MINUTES
    zones = out[f"c5_cpr_zone_daily_{name}"]
    inside: Series = []
    for j in range(MINUTES):
        seen = so_far(zones, j)
        inside.append(sum(1 for z in seen if z == 0) / len(seen) if len(seen) >= 5 else None)
    out[f"c5_cpr_inside_share_{name}"] = inside


def cpr_zone(price: Value, pivot: Pivot | None) -> int | None:
    """1 above, -1 below, 0 inside the range."""
    if price is None or pivot is None:
        return None
    if price > max(pivot.tc, pivot.bc):
        return 1
    return -1 if price < min(pivot.tc, pivot.bc) else 0


def past_widths(asset: Asset) -> list[float]:
    """Daily widths of the previous 20 days, each from the day before it, by bucket."""
    widths = []
    for n in range(1, 21):
        if asset.expiry is None:
            pivots = [pivot_of(asset.past.spot_bar(n + 1))] if asset.past.expiries(n) else []
        else:
            pivots = [
                pivot_of(asset.past.bar(n + 1, expiry, "strd"))
                for expiry in asset.past.expiries(n)
                if asset.past.daily_rows[(n, expiry)]["dte_bucket"] == asset.bucket
            ]
        found = [p.width for p in pivots if p is not None and p.width is not None]
        if found:
            widths.append(mean(found))
    return widths


# ---------------------------------------------------------------- volatility and momentum


def volatility_columns(asset: Asset, out: Columns) -> None:
    """Realised volatility, its ratio, efficiency, regime and its age."""
    name = asset.name
    for w in (15, 30, 60):
        roots = [root_mean_square(asset.held, j, w, math.ceil(2 * w / 3)) for j in range(MINUTES)]
        out[f"c5_rv_{w}m_{name}"] = [None if root is None else root * ANNUAL for root in roots]
    fast, slow = out[f"c5_rv_15m_{name}"], out[f"c5_rv_60m_{name}"]
    out[f"c5_rv_ratio_15_60_{name}"] = [ratio(fast[j], slow[j]) for j in range(MINUTES)]
    returns = [value for value, _ in asset.held]
    efficiency: Series = []
    for j in range(MINUTES):
        seen = valid_in(returns, j, 30)
        path = sum(abs(r) for r in seen)
        efficiency.append(ratio(abs(sum(seen)), path) if len(seen) >= 20 else None)
    out[f"c5_trend_efficiency_30m_{name}"] = efficiency
    levels = [regime(p) for p in out[f"c5_atr_14_{name}_pctl_20d"]]
    out[f"c5_vol_regime_{name}"] = levels
    out[f"c5_vol_regime_age_{name}"] = age_of(levels, 374)


def regime(share: Value) -> int | None:
    """Fifth of the percentile."""
    return None if share is None else min(4, math.floor(5 * share + 1e-9))


def momentum(slopes: tuple[Series, Series], price: Series, ema: Series, points: Series) -> Series:
    """Hyperbolic tangent of two slopes and the distance from EMA 50, in ATRs."""
    result: Series = []
    for j in range(MINUTES):
        fast, slow = slopes[0][j], slopes[1][j]
        parts = (fast, slow, price[j], ema[j], points[j])
        if any(part is None for part in parts):
            result.append(None)
            continue
        away = ratio(price[j] - ema[j], 5 * points[j])
        result.append(None if away is None else math.tanh(0.5 * fast + 0.3 * slow + 0.2 * away))
    return result


def confluence_count(asset: Asset, emas: dict[int, Series], points: Series) -> Series:
    """Lines within two ATRs of the price, of four EMAs and six pivot lines."""
    fixed: list[float] = []
    for pivot in (pivot_of(asset.bar(1)), pivot_of(asset.week())):
        if pivot is not None:
            fixed += [pivot.pp, pivot.tc, pivot.bc]
    price = today(asset.bars.price)
    result: Series = []
    for j in range(MINUTES):
        lines = fixed + [
            emas[span][2 * MINUTES + j] for span in SPANS if emas[span][2 * MINUTES + j] is not None
        ]
        if price[j] is None or points[j] is None or len(lines) < 4:
            result.append(None)
        else:
            result.append(sum(1 for line in lines if abs(price[j] - line) <= 2 * points[j]))
    return result


def votes(out: Columns, name: str, ema: Series) -> Series:
    """V of one asset: alignment, zone and the sign of the slope of EMA 50."""
    result: Series = []
    for j in range(MINUTES):
        order = out[f"c5_ema_alignment_{name}"][j]
        zone = out[f"c5_cpr_zone_daily_{name}"][j]
        slope = sign_of_difference(ema[j], ema[j - 5]) if j >= 5 else None
        missing = order is None or zone is None or slope is None
        result.append(None if missing else abs(order / 3 + zone + slope) / 3)
    return result


def asset_columns(asset: Asset) -> tuple[Columns, Series]:
    """Every column of one asset by name, and its confluence votes."""
    out: Columns = {}
    emas = {span: span_ema(asset.bars.price, span) for span in SPANS}
    points = today(atr_points(atr_percent(asset.bars, 14), asset.bars.price))
    atr_columns(asset, out)
    daily_columns(asset, out)
    ema_columns(asset, out, emas, points)
    cpr_columns(asset, out)
    volatility_columns(asset, out)
    out[f"c5_confluence_count_{asset.name}"] = confluence_count(asset, emas, points)
    score = "c5_momentum_score" if asset.expiry is None else "c5_straddle_momentum_score"
    slopes = (out[f"c5_ema_slope_20_{asset.name}"], out[f"c5_ema_slope_50_{asset.name}"])
    out[score] = momentum(slopes, today(asset.bars.price), today(emas[50]), points)
    return out, votes(out, asset.name, today(emas[50]))


# ---------------------------------------------------------------- both assets


def dual_columns(out: Columns, und: Asset, strd: Asset, votes_of: tuple[Series, Series]) -> None:
    """Straddle against underlying, and the online scores of both."""
    for column, left, right, rule in (
        ("trend_agreement", "ema_alignment_und", "ema_alignment_strd", "signs"),
        ("vol_regime_gap", "vol_regime_strd", "vol_regime_und", "difference"),
        ("momentum_spread", "ema_slope_20_und", "ema_slope_20_strd", "difference"),
        ("cpr_agreement", "cpr_zone_daily_und", "cpr_zone_daily_strd", "product"),
    ):
        out[f"c5_dual_{column}"] = combine(out[f"c5_{left}"], out[f"c5_{right}"], rule)
    strd_atr, und_atr = out["c5_atr_14_strd"], out["c5_atr_14_und"]
    out["c5_dual_atr_gearing"] = [ratio(strd_atr[j], und_atr[j]) for j in range(MINUTES)]
    x, y = [value for value, _ in und.held], [value for value, _ in strd.held]
    for w in (30, 60):
        out[f"c5_dual_beta_{w}m"] = [beta(x, y, j, w) for j in range(MINUTES)]
    strd_rank, und_rank = out["c5_atr_14_strd_pctl_20d"], out["c5_atr_14_und_pctl_20d"]
    out["c5_volatility_regime_score"] = [
        None if a is None or b is None else regime(0.6 * a + 0.4 * b)
        for a, b in zip(strd_rank, und_rank, strict=True)
    ]
    out["c5_confluence_score"] = [
        None if a is None or b is None else 0.6 * b + 0.4 * a
        for a, b in zip(*votes_of, strict=True)
    ]


def c5(day: Day, history: History) -> Result:
    """All 94 columns of component 5."""
    past = read_past(day, history)
    held_und = [day.held("und", day.expiries[0], j) for j in range(MINUTES)]
    und = Asset("und", day, past, underlying_bars(day, past), held_und, None, None)
    shared, und_votes = asset_columns(und)
    shared["c5_adx_14_und"] = today(directional_index(und.bars))
    ema_daily(day, past, shared)
    result: Result = {}
    for expiry in day.expiries:
        held = [day.held("strd", expiry, j) for j in range(MINUTES)]
        bars = straddle_bars(day, past, expiry)
        strd = Asset("strd", day, past, bars, held, expiry, day.bucket(expiry))
        out, strd_votes = asset_columns(strd)
        out.update(shared)
        dual_columns(out, und, strd, (und_votes, strd_votes))
        for name, values in out.items():
            result.setdefault(name, {})[expiry] = values
    return result
