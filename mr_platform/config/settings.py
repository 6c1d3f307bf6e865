"""Settings of a run: one YAML file of profiles, checked by a schema, overridden by the environment.

Here: HOW a run is tuned (paths, compression, limits, dated market conventions).
Not here: WHAT a column is (``registry/``), secrets, anything read at import.
"""

from __future__ import annotations

import copy
import datetime as dt
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mr_platform.errors import SettingsError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

VARIABLES = ("MR_HOME", "MR_PROFILE", "MR_WEBHOOK_URL", "MR_RECORDED_FIGURES")
"""Variables of the environment that override settings."""

# one letter of ours is missing, wrong or too many; MR_ROLE and MR_FILE are another program's
_MISSPELT = 0.9


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ParquetSettings(_Strict):
    """How lakehouse files are written."""

    compression: Literal["zstd", "snappy", "lz4", "gzip", "uncompressed"] = "zstd"
    compression_level: int | None = Field(default=1, ge=1, le=22)
    row_group_rows: int = Field(default=131_072, ge=1_000)


class QualitySettings(_Strict):
    """Limits of the rules at the door; shares are fractions of rows."""

    max_bad_share: float = Field(default=0.10, ge=0, le=1)
    parity_tolerance: float = Field(default=0.001, gt=0)
    parity_warn_share: float = Field(default=0.20, ge=0, le=1)
    run_great_expectations: bool = True


class OrchestrationSettings(_Strict):
    """Batch sizes, limits and intervals of runs and sensors."""

    max_partitions_per_run: int = Field(default=20, ge=1)
    max_concurrent_runs: int = Field(default=2, ge=1)
    landing_settle_seconds: float = Field(default=3, ge=0)
    sensor_inspect_budget_seconds: float = Field(default=30, gt=0)
    overdue_after_hours: float = Field(default=3, gt=0)


class ChunkDates(_Strict):
    """Dates of a chunk; the CPU works on two chunks at once, a GPU on one."""

    panel: int = Field(default=1, ge=1)
    features: int = Field(default=10, ge=1)


class FeatureSettings(_Strict):
    """How feature runs are tuned."""

    pictures: bool = True
    engine: Literal["cpu", "gpu", "auto"] = "cpu"
    auto_gpu_symbol_days: int | None = Field(default=None, ge=1)
    chunk_dates: ChunkDates = ChunkDates()


class CorrelationSettings(_Strict):
    """What is kept of the correlations of all pairs of a book."""

    threshold: float = Field(default=0.7, ge=0, le=1)
    neighbours: int = Field(default=64, ge=0)
    most_pairs: int | None = Field(default=1_000_000, ge=0)
    engine: Literal["cpu", "gpu"] = "cpu"


class ZoneSettings(_Strict):
    """Zones of the day: as the files name them, or windows that rows start in."""

    method: Literal["labels", "equal", "freeform", "custom"] = "labels"
    count: int = Field(default=4, ge=1)
    cuts: tuple[dt.time, ...] = ()
    windows: dict[str, tuple[dt.time, dt.time]] = Field(default_factory=dict)
    weights: tuple[float, ...] | dict[str, float] | None = None


_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BalanceSettings(_Strict):
    """Balanced mode: how many members of each source file a portfolio should have."""

    desired: dict[str, Annotated[int, Field(ge=0)]] = Field(min_length=1)
    penalty_factor: _Amount = 1


class SearchSettings(_Strict):
    """How portfolios are searched where a run does not say otherwise."""

    algorithms: tuple[str, ...] = Field(min_length=1)
    form: Literal["legacy", "improved"] = "improved"
    parameters: dict[str, dict[str, int | float | str | None]] = Field(default_factory=dict)
    evaluations: int = Field(default=20_000, ge=1)
    patience: int | None = Field(default=None, ge=1)
    seed: int = Field(default=2024, ge=0, lt=2**63)
    metric: str = "ratio"
    correlation_weight: _Amount = 10
    drawdown_threshold: _Amount = 0
    balance: BalanceSettings | None = None
    holdout: float = Field(default=0, ge=0, le=0.5)
    inversion: bool = False
    row_rules: tuple[str, ...] = ()
    regime_multipliers: dict[str, _Amount] = Field(default_factory=dict)
    zone_mode: Literal["rows", "collapsed"] = "rows"
    engine: Literal["cpu", "gpu"] = "cpu"
    workers: int = Field(default=1, ge=1)
    checkpoint_seconds: float = Field(default=10, ge=0)


class PortfolioSettings(_Strict):
    """How books of strategies are read, measured and searched."""

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    kelly_cap: float = Field(default=0.25, ge=0, le=1)
    capital: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    risk_free: float = Field(default=0, ge=0, lt=1)
    recorded_figures: Path | None = None
    correlation: CorrelationSettings = CorrelationSettings()
    zones: ZoneSettings = ZoneSettings()
    search: SearchSettings


class NotificationSettings(_Strict):
    """Where failures and overdue data are told."""

    webhook_url: str | None = None
    webhook_timeout_seconds: float = Field(default=5, gt=0)


class DatedValue(_Strict):
    """A value that holds from a date until the next entry."""

    start: dt.date = Field(alias="from")
    value: float


class MarketSettings(_Strict):
    """Dated conventions of the market: rate, lot sizes; strike steps by symbol."""

    risk_free_rate: tuple[DatedValue, ...]
    lot_sizes: dict[str, tuple[DatedValue, ...]]
    strike_steps: dict[str, float]

    @model_validator(mode="after")
    def _dates_ascend(self) -> MarketSettings:
        series = {"risk_free_rate": self.risk_free_rate, **self.lot_sizes}
        for name, entries in series.items():
            starts = [entry.start for entry in entries]
            if not starts or starts != sorted(set(starts)):
                raise ValueError(f"dates of {name} must be given, ascending and distinct")
        return self

    def rate_on(self, day: dt.date) -> float:
        """Continuous yearly risk-free rate (decimal) on a day."""
        return _value_on(self.risk_free_rate, day, "risk_free_rate")

    def lot_size_on(self, symbol: str, day: dt.date) -> int:
        """Units of the index per contract on a day."""
        if symbol not in self.lot_sizes:
            raise SettingsError(
                f"no lot sizes are declared for {symbol}",
                place="settings.yaml: market.lot_sizes",
                next_step=f"Declared: {', '.join(sorted(self.lot_sizes))}",
            )
        return int(_value_on(self.lot_sizes[symbol], day, f"lot_sizes.{symbol}"))

    def recent_lot_sizes(self, symbol: str, day: dt.date, days: int = 400) -> tuple[int, ...]:
        """Lot sizes in force on a day or within ``days`` around it.

        Contracts listed before a change keep the old size until they expire, and a change is
        announced before it holds, so open interest near a change divides by either.
        """
        near = [
            int(entry.value)
            for entry, following in zip(
                self.lot_sizes[symbol], [*self.lot_sizes[symbol][1:], None], strict=True
            )
            if entry.start <= day + dt.timedelta(days=days)
            and (following is None or following.start >= day - dt.timedelta(days=days))
        ]
        return tuple(dict.fromkeys([self.lot_size_on(symbol, day), *near]))


class Settings(_Strict):
    """Everything tunable of one run, resolved for one profile and one home."""

    profile: str
    home: Path
    parquet: ParquetSettings
    quality: QualitySettings
    orchestration: OrchestrationSettings
    features: FeatureSettings
    portfolio: PortfolioSettings
    notifications: NotificationSettings
    market: MarketSettings

    @property
    def landing_dir(self) -> Path:
        """Folder that landed files are dropped into."""
        return self.home / "landing"

    @property
    def lakehouse_root(self) -> Path:
        """Folder of the Delta tables."""
        return self.home / "lakehouse"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's SQLite storage."""
        return self.home / "dagster"

    @property
    def pictures_dir(self) -> Path:
        """Folder that pictures of days are written to."""
        return self.home / "pictures"

    @property
    def portfolio_reports_dir(self) -> Path:
        """Folder that reports of portfolios are written to."""
        return self.home / "portfolio_reports"

    @property
    def search_checkpoints_dir(self) -> Path:
        """Folder of searches that were broken off."""
        return self.home / "search_checkpoints"

    @property
    def correlation_cache_dir(self) -> Path:
        """Folder of correlations worked out before."""
        return self.home / "correlation_cache"

    @property
    def landing_catalogue(self) -> Path:
        """SQLite file that remembers what each landed file holds."""
        return self.home / "landing_catalogue.sqlite"

    @property
    def notifications_log(self) -> Path:
        """JSON-lines file of every notification."""
        return self.home / "notifications.jsonl"


def declared_market() -> dict[str, Any]:
    """The market conventions of the packaged settings, as plain values (dates as text)."""
    market = MarketSettings(**_document()["default"]["market"])
    return market.model_dump(mode="json")


def load_settings(
    home: Path | str | None = None,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of a profile, for a home folder.

    Args:
        home: Home folder; None takes ``MR_HOME``, else the profile's ``home``.
        profile: Profile name; None takes ``MR_PROFILE``, else ``local``.
        environment: Variables to read instead of the process environment.

    Returns:
        The resolved settings; ``home`` is absolute.

    Raises:
        SettingsError: Unknown profile, or a value the schema refuses.
    """
    variables = os.environ if environment is None else environment
    _refuse_misspelt(variables)
    document = _document()
    name = profile or variables.get("MR_PROFILE") or "local"
    profiles: dict[str, Any] = document["profiles"]
    if name not in profiles:
        raise SettingsError(
            f"profile {name} is not declared",
            place=str(_file()),
            next_step=f"Declared profiles: {', '.join(sorted(profiles))}",
        )
    chosen = profiles[name] or {}
    if not isinstance(chosen, dict) or not all(isinstance(key, str) for key in chosen):
        raise SettingsError(
            f"profiles.{name} holds no names with values",
            place=str(_file()),
            next_step="Write `section: {setting: value}` under it, or {} for no difference",
        )
    values = _merged(document["default"], chosen)
    named = home or variables.get("MR_HOME") or values.pop("home", None)
    if not isinstance(named, (str, Path)):
        raise SettingsError(
            f"home is {named!r}, no folder",
            place=str(_file()),
            next_step="Write `home: FOLDER` in `default`, or set MR_HOME",
        )
    folder = Path(named).expanduser()
    values["home"] = folder.absolute()
    if webhook := variables.get("MR_WEBHOOK_URL"):
        values["notifications"] = {**values["notifications"], "webhook_url": webhook}
    if recorded := variables.get("MR_RECORDED_FIGURES"):
        values["portfolio"] = {**values["portfolio"], "recorded_figures": recorded}
    try:
        return Settings(**{**values, "profile": name})
    except ValidationError as refused:
        told = [_told(fault, f"profiles.{name}", chosen) for fault in refused.errors()]
        raise SettingsError(
            "; ".join(told),
            place=str(_file()),
            next_step="Correct what is named here; `default` in that file holds every setting",
        ) from refused


def _file() -> Traversable:
    return resources.files("mr_platform.config").joinpath("settings.yaml")


def _document() -> dict[str, Any]:
    try:
        # callers take parts out of it: each gets a document of its own
        document = copy.deepcopy(_parsed(_file().read_text("utf-8")))
    except yaml.MarkedYAMLError as unread:
        mark = unread.problem_mark
        raise SettingsError(
            f"is no YAML{f' from line {mark.line + 1} on' if mark else ''}: {unread.problem}",
            place=str(_file()),
            next_step="Correct that line or the one above it",
        ) from unread
    except (yaml.YAMLError, UnicodeDecodeError) as unread:
        raise SettingsError(
            f"is no YAML: {str(unread).splitlines()[0]}",
            place=str(_file()),
            next_step="Save it as UTF-8 text without control characters",
        ) from unread
    parts = document if isinstance(document, dict) else {}
    absent = [part for part in ("default", "profiles") if not isinstance(parts.get(part), dict)]
    if absent:
        raise SettingsError(
            f"holds no part {' and no part '.join(absent)}{_near_ones(absent, parts)}",
            place=str(_file()),
            next_step="`default` holds every setting, `profiles` what differs from it",
        )
    return parts


@lru_cache(maxsize=1)
def _parsed(text: str) -> Any:
    """The YAML document of a text: every step of a run loads settings, parsing takes 40 ms."""
    return yaml.safe_load(text)


def _near_ones(absent: Sequence[str], given: Mapping[str, Any]) -> str:
    near = [key for part in absent for key in get_close_matches(part, map(str, given), n=1)]
    return f", but {', '.join(near)}" if near else ""


def _refuse_misspelt(variables: Mapping[str, str]) -> None:
    """Refuse a variable that is nearly one of ours: it would be passed over without a word."""
    for name in sorted(variables):
        if name.startswith("MR_") and name not in VARIABLES:
            near = get_close_matches(name, VARIABLES, n=1, cutoff=_MISSPELT)
            # MR_HOME_2 is a person's own name beside ours; and what is named right counts
            if near and not name.startswith(near[0]) and near[0] not in variables:
                raise SettingsError(
                    f"{name} is no variable of this project",
                    place="environment",
                    next_step=f"Near: {near[0]}. Name it so, or unset {name}",
                )


def _told(fault: ErrorDetails, profile: str, values: object) -> str:
    """A refused value: its path in the file, what is wrong, and for a name the nearest one.

    Args:
        fault: What the schema says.
        profile: Path of the profile's part.
        values: What the profile names; the rest stands in ``default``.
    """
    path = fault["loc"]
    for part in path:
        # a list of the profile takes the place of the whole list
        if not isinstance(values, Mapping):
            break
        if part not in values:
            profile = "default"
            break
        values = values[part]
    dotted = ".".join(map(str, (profile, *path)))
    if fault["type"] != "extra_forbidden":
        return f"{dotted}: {fault['msg']}"
    known = [name for name in _names_at(path[:-1]) if name != "profile"]  # chosen, not set
    near = get_close_matches(str(path[-1]), known, n=1)
    hint = f"near: {near[0]}" if near else f"known: {', '.join(known)}"
    return f"{dotted}: there is no such setting ({hint})"


def _names_at(path: Sequence[int | str]) -> list[str]:
    """Names that the schema knows at a place of the settings."""
    kind: Any = Settings
    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(part)].annotation
        else:  # dict[str, inner] or tuple[inner, ...]
            kind = next(inner for inner in get_args(kind) if inner not in (str, ...))
    return [field.alias or name for name, field in kind.model_fields.items()]


def _merged(base: dict[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in override.items():
        known = result.get(key)
        result[key] = (
            _merged(known, value)
            if isinstance(known, dict) and isinstance(value, Mapping)
            else value
        )
    return result


def _value_on(entries: tuple[DatedValue, ...], day: dt.date, name: str) -> float:
    current = [entry.value for entry in entries if entry.start <= day]
    if not current:
        raise SettingsError(
            f"{name} is declared from {entries[0].start} on, asked for {day}",
            place="settings.yaml: market",
            next_step="Add an earlier entry",
        )
    return current[-1]
