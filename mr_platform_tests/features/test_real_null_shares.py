"""What is null on real days, and why.

Every column that holds nothing all day must be explained by what the file lacks: the same lacks
laid over a complete simulated day with history leave it empty too (``null_causes.py``), and the
file itself can be seen to lack it. A family that is empty on a file needs such a cause in each of
its columns. Null shares are printed by family (run with ``-s``). By default three files are taken,
with their nearest expiries, and few lacks are tried alone; ``make test-full`` takes every file and
every lack.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS, FeatureColumn
from mr_platform.trading_calendar import SESSION_MINUTES, PartitionKey
from mr_platform_tests.features.chain_days import real_chain
from mr_platform_tests.features.changed_chains import LEGS, MINUTE, moved
from mr_platform_tests.features.null_causes import (
    CADENCE,
    CHAIN_LACKS,
    FUTURE,
    HIGHS_LOWS,
    HISTORY,
    LEG_FIELDS,
    NOTHING_FOUND,
    OPEN_INTEREST,
    OPENS,
    PARTNER,
    THIN_INPUTS,
    TOGETHER,
    VOLUME,
    causes,
    empty_columns,
    masked,
    observed,
)
from mr_platform_tests.features.whole_graph import (
    Tables,
    built,
    faults,
    first_expiries,
    history_for,
    null_share,
    simulated,
)

pytestmark = pytest.mark.real_data

SIMULATED = dt.date(2025, 9, 5)
SAMPLED: tuple[PartitionKey, ...] = (
    PartitionKey(dt.date(2019, 5, 24), "NIFTY"),
    PartitionKey(dt.date(2026, 2, 3), "NIFTY"),
    PartitionKey(dt.date(2026, 8, 3), "NIFTY"),
)
FILES = 48
PARTNERS = {"NIFTY": "BANKNIFTY", "BANKNIFTY": "NIFTY"}
MOST_EXPIRIES, SAMPLED_EXPIRIES = 4, 2
# the slope of the term structure needs three
COMPLETE_EXPIRIES = {"NIFTY": 3, "BANKNIFTY": 1}
# what c6 and c8 read of earlier components' history, those declare
OF_COMPONENTS = ("c6", "c8")
SAMPLED_LACKS = (CADENCE, FUTURE)
PAIRS = ((VOLUME, OPEN_INTEREST), (CADENCE, FUTURE))

GROUPS: dict[str, tuple[dt.date, dt.date]] = {
    "2019": (dt.date(2019, 1, 1), dt.date(2019, 12, 31)),
    "2025-08": (dt.date(2025, 8, 1), dt.date(2025, 8, 31)),
    "2026-02": (dt.date(2026, 2, 1), dt.date(2026, 2, 28)),
    "2026-08a": (dt.date(2026, 8, 1), dt.date(2026, 8, 10)),
    "2026-08b": (dt.date(2026, 8, 11), dt.date(2026, 8, 31)),
}
"""Files by the time that they were collected, hence by what they hold."""


HELD: dict[str, set[str]] = {
    "2019": {VOLUME, OPEN_INTEREST},
    "2025-08": {VOLUME, OPEN_INTEREST},
    "2026-02": {VOLUME, OPEN_INTEREST},
    "2026-08a": set(),
    "2026-08b": {VOLUME, OPEN_INTEREST},
}
"""What of the sometimes missing fields the files of a group hold at all."""

NEVER_HELD = (FUTURE, HIGHS_LOWS, OPENS)
"""What no file holds anywhere."""

CADENCES = {"2019": 15, "2025-08": 1, "2026-02": 5, "2026-08a": 2, "2026-08b": 1}
"""Most minutes that usually pass between two snapshots, by group."""

Causes = dict[str, set[str]]
"""Columns that a lack alone leaves empty, by lack."""

Pairs = dict[tuple[str, str], set[str]]
"""The same of two lacks."""

Explained = dict[PartitionKey, dict[str, list[str]]]
"""The causes of each empty column of a file."""


@dataclass
class Files:
    """Real files and the tables made of them.

    Attributes:
        keys: Their partitions.
        chain: Their chains.
        tables: Their tables, without history.
        complete: Chain of the complete simulated day by symbol.
        bare: Columns that are empty on NIFTY's complete day without history.
        lacks: What is tried alone.
        pairs: What is tried in pairs.
    """

    keys: tuple[PartitionKey, ...]
    chain: pl.DataFrame
    tables: Tables
    complete: dict[str, pl.DataFrame]
    bare: set[str]
    lacks: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]


def own(key: PartitionKey) -> pl.Expr:
    return (pl.col("date") == key.date) & (pl.col("symbol") == key.symbol)


def group_of(key: PartitionKey) -> str:
    return next(name for name, (a, b) in GROUPS.items() if a <= key.date <= b)


def found_files(data: Path) -> list[PartitionKey]:
    stems = [path.stem for path in (data / "options" / "chain").glob("symbol=*/*.parquet")]
    return sorted(
        PartitionKey(dt.date.fromisoformat(day), symbol)
        for symbol, day in (stem.split("_") for stem in stems)
    )


def files(sampled: bool, data: Path) -> Files:
    keys = SAMPLED if sampled else tuple(found_files(data))
    count = SAMPLED_EXPIRIES if sampled else MOST_EXPIRIES
    chain = pl.concat(
        [first_expiries(real_chain(key.symbol, key.date, data), count) for key in keys]
    )
    expiries = COMPLETE_EXPIRIES if sampled else dict.fromkeys(PARTNERS, count)
    complete = {symbol: simulated(symbol, SIMULATED, n) for symbol, n in expiries.items()}
    bare = empty_of_nifty(built(pl.concat(list(complete.values()))))
    tried = (SAMPLED_LACKS, ()) if sampled else (CHAIN_LACKS, PAIRS)
    return Files(keys, chain, built(chain), complete, bare, *tried)


SIZES = [
    pytest.param(True, id="sampled"),
    pytest.param(False, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(2400)]),
]


@pytest.fixture(scope="module", params=SIZES)
def real(request, real_data) -> Files:
    return files(request.param, real_data)


def all_together(real: Files) -> dict[PartitionKey, set[str]]:
    """Columns empty on the complete day under everything that each file lacks, without history."""
    lacks = frozenset(CHAIN_LACKS)
    parts = [
        masked(real.complete[key.symbol], real.chain.filter(own(key)), lacks) for key in real.keys
    ]
    tables = built(pl.concat(parts))
    return {key: empty_columns(tables, own(key)) for key in real.keys}


def one_at_a_time(real: Files, keys: Sequence[PartitionKey]) -> dict[PartitionKey, Causes]:
    """For some files, columns that one lack alone leaves empty, by lack.

    History is missing in all of them: what its lack leaves empty is counted there and nowhere
    else. The other symbol's complete day stands beside each.
    """
    bare = real.bare
    found: dict[PartitionKey, Causes] = {key: {HISTORY: bare} for key in keys}
    alone = empty_of_nifty(built(real.complete["NIFTY"])) - bare
    for key in keys:
        if PartitionKey(key.date, PARTNERS[key.symbol]) not in real.keys:
            found[key][PARTNER] = alone
    for lack in real.lacks:
        for key, empty in under(real, keys, frozenset({lack})).items():
            found[key][lack] = empty
    return found


def two_at_a_time(real: Files, keys: Sequence[PartitionKey]) -> dict[PartitionKey, Pairs]:
    """The same of some pairs of lacks."""
    found: dict[PartitionKey, Pairs] = {key: {} for key in keys}
    for pair in real.pairs:
        for key, empty in under(real, keys, frozenset(pair)).items():
            found[key][pair] = empty
    return found


def seen_in(real: Files, key: PartitionKey) -> set[str]:
    """What a file itself can be seen to lack."""
    found = observed(real.chain.filter(own(key)), real.complete[key.symbol])
    if PartitionKey(key.date, PARTNERS[key.symbol]) not in real.keys:
        found.add(PARTNER)
    # every file is made without earlier days
    return found | {HISTORY}


def under(
    real: Files, keys: Sequence[PartitionKey], lacks: frozenset[str]
) -> dict[PartitionKey, set[str]]:
    """Columns that some lacks of some files leave empty, beyond those that need history."""
    parts = []
    for key in keys:
        parts += [
            masked(real.complete[key.symbol], real.chain.filter(own(key)), lacks),
            moved(real.complete[PARTNERS[key.symbol]], key.date),
        ]
    tables = built(pl.concat(parts))
    return {key: empty_columns(tables, own(key)) - real.bare for key in keys}


def empty_of_nifty(tables: Tables) -> set[str]:
    """Columns of NIFTY's simulated day that are empty."""
    return empty_columns(tables, own(PartitionKey(SIMULATED, "NIFTY")))


def representatives(keys: Sequence[PartitionKey]) -> dict[str, PartitionKey]:
    """The first file of each group."""
    return {group_of(key): key for key in reversed(keys)}


def test_the_complete_day_lacks_nothing(real):
    chain = pl.concat(list(real.complete.values()))
    tables = built(chain, history_for(chain, seed=6))
    assert empty_of_nifty(tables) == set()


def test_what_history_alone_leaves_empty_declares_a_look_back(real):
    features = {column.name: column for column in load_registry().features}
    undeclared = [
        name
        for name in sorted(real.bare)
        if name[:2] not in OF_COMPONENTS and not reads_history(name, features, set())
    ]
    print(f"\n{len(real.bare)} columns are empty without history")
    assert undeclared == []


def reads_history(name: str, features: Mapping[str, FeatureColumn], seen: set[str]) -> bool:
    """Whether a column reads history by way of the columns that it names."""
    seen.add(name)
    column = features[name]
    return bool(column.lookback.history) or any(
        reads_history(other, features, seen)
        for other in column.reads
        if other in features and other not in seen
    )


@pytest.fixture(scope="module")
def explained(real) -> Explained:
    """Every empty column of every file with its causes."""
    first = representatives(real.keys)
    alone = one_at_a_time(real, list(first.values()))
    together = all_together(real)
    pairs = two_at_a_time(real, list(first.values()))
    declared = {column.name: column for column in load_registry().features}
    found: Explained = {}
    for key in real.keys:
        sample = first[group_of(key)]
        rows, seen = all_features(real.tables, key), seen_in(real, key)
        found[key] = {
            name: causes(declared[name], alone[sample], pairs[sample], together[key], seen, rows)
            for name in sorted(empty_columns(real.tables, own(key)))
        }
    return found


def test_every_empty_column_of_a_real_day_has_a_cause(real, explained):
    first = representatives(real.keys)
    print()
    for group in first:
        members = [key for key in real.keys if group_of(key) == group]
        counted = Counter(" + ".join(found) for key in members for found in explained[key].values())
        print_group(real, group, members, counted)
    print_families(real, first)
    unexplained = [
        f"{key} {name}"
        for key, columns in explained.items()
        for name, found in columns.items()
        if not found
    ]
    assert not unexplained, f"{len(unexplained)} unexplained:\n" + "\n".join(unexplained[:60])


def test_every_empty_family_of_a_real_day_has_causes_that_the_file_shows(real, explained):
    """Of each column of the family one, by the file's own counts; none by thin inputs alone."""
    wrong, counted = [], Counter()
    for key, columns in explained.items():
        seen = seen_in(real, key)
        for component in COMPONENTS:
            for family in load_registry().components[component].families:
                names = [column.name for column in family.columns]
                if not all(name in columns for name in names):
                    continue
                named = {cause for name in names for cause in columns[name]}
                counted[group_of(key)] += 1
                unseen = {
                    part
                    for cause in named - {TOGETHER, NOTHING_FOUND, THIN_INPUTS}
                    for part in cause.split(" with ")
                } - seen
                if unseen or not all(columns[name] for name in names):
                    wrong.append(f"{key} {family.name}: {sorted(named)}, not seen {unseen}")
                # together is two lacks at least: one would have been found alone
                if TOGETHER in named and len(seen - {HISTORY, PARTNER}) < 2:
                    wrong.append(f"{key} {family.name}: lacks nothing that could act together")
    print("\nempty families a group:", dict(counted))
    assert sum(counted.values()) > 0
    assert not wrong, f"{len(wrong)} families:\n" + "\n".join(wrong[:40])


def test_the_files_lack_what_is_said_of_their_time(real):
    """The lacks that explain so much, in the files' own rows: what is absent, and the cadence."""
    fields = {FUTURE: ["future_close", "future_open", "future_volume", "future_oi"]}
    fields |= {
        what: [f"{leg}_{name}" for leg in LEGS for name in LEG_FIELDS[what]]
        for what in (HIGHS_LOWS, OPENS, VOLUME, OPEN_INTEREST)
    }
    for key in real.keys:
        chain = real.chain.filter(own(key))
        for what, names in fields.items():
            held = any(chain[name].count() for name in names)
            assert held == (what not in NEVER_HELD and what in HELD[group_of(key)]), (key, what)
        minutes = chain.select(MINUTE.alias("j")).unique().sort("j")["j"]
        usual = minutes.diff().drop_nulls().median()
        assert usual is not None
        assert usual <= CADENCES[group_of(key)], key
        assert len(minutes) < SESSION_MINUTES, key
        if group_of(key) == "2019":
            assert (minutes % 15 == 0).all()
            assert len(minutes) <= SESSION_MINUTES // 15


def all_features(tables: Tables, key: PartitionKey) -> pl.DataFrame:
    """Columns of all components of a partition, side by side."""
    keys = ["symbol", "ts_minute", "date", "dte", "zone_name", "feature_version"]
    parts = [tables[f"{component}_features"].filter(own(key)) for component in COMPONENTS]
    side_by_side = parts[0].select("dte")
    for part in parts:
        side_by_side = side_by_side.hstack(part.drop(keys))
    return side_by_side


def print_group(
    real: Files, group: str, members: Sequence[PartitionKey], counted: Counter[str]
) -> None:
    """Null share by component and causes of empty columns, a file on average."""
    rows = pl.any_horizontal([own(key) for key in members])
    shares = [
        f"{c} {null_share(c, real.tables[f'{c}_features'].filter(rows)):.2f}" for c in COMPONENTS
    ]
    minutes = real.chain.filter(rows).select("symbol", "date", MINUTE.alias("j")).n_unique()
    print(f"{group}: {len(members)} files, {minutes / len(members):.0f} minutes,", *shares)
    named = [
        f"{cause or 'NONE'} {count / len(members):.0f}" for cause, count in counted.most_common(9)
    ]
    print(f"  empty columns a file, by cause: {', '.join(named)}")


def print_families(real: Files, groups: Mapping[str, PartitionKey]) -> None:
    """Null share in percent of each family, one column a group."""
    print(f"{'null percent by family':42}", *[f"{group:>9}" for group in groups])
    for component in COMPONENTS:
        table = real.tables[f"{component}_features"]
        for family in load_registry().components[component].families:
            names = [column.name for column in family.columns]
            shares = []
            for group in groups:
                rows = table.filter(
                    pl.any_horizontal([own(key) for key in real.keys if group_of(key) == group])
                )
                nulls = sum(rows.select(pl.col(names).null_count()).row(0))
                shares.append(f"{100 * nulls / (rows.height * len(names)):9.0f}")
            print(f"{component + ' ' + family.name:42}", *shares)


def test_all_files_are_looked_at(real_data):
    assert len(found_files(real_data)) >= FILES
    assert {group_of(key) for key in found_files(real_data)} == set(GROUPS)


def test_real_values_are_finite_and_in_range(real):
    wrong = [
        fault
        for component in COMPONENTS
        for fault in faults(component, real.tables[f"{component}_features"])
    ]
    assert not wrong, "\n".join(wrong)
