"""Which assets a person means, and in which stages they are made.

Here: names and selections → assets in data order; stages of a materialisation.
Not here: which partitions (``materialization.py``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import dagster as dg

from mr_platform.errors import PlatformError
from mr_platform.orchestration.derived_tables import derived_table
from mr_platform.orchestration.partition_status import materializable_assets


def require_assets(definitions: dg.Definitions, names: Iterable[str]) -> tuple[str, ...]:
    """Check asset names; add those that one computation makes together with them.

    Args:
        definitions: The project's definitions.
        names: Asset names as a person gave them.

    Returns:
        The assets to make, in data order.

    Raises:
        PlatformError: A name is no materialisable asset; near names are told.
    """
    wanted: set[str] = set()
    for name in named_assets(definitions, names):
        made_by = definitions.resolve_assets_def(name)
        together = made_by.keys if not made_by.can_subset else {dg.AssetKey(name)}
        wanted |= {key.to_user_string() for key in together}
    return tuple(name for name in materializable_assets(definitions) if name in wanted)


def named_assets(definitions: dg.Definitions, names: Iterable[str]) -> tuple[str, ...]:
    """The assets that a person named or selected, and no others, in data order.

    Args:
        definitions: The project's definitions.
        names: Asset names and selections.

    Raises:
        PlatformError: A name is no materialisable asset; near names are told.
    """
    known = materializable_assets(definitions)
    wanted: set[str] = set()
    for name in names:
        if set(name) & _SELECTION_SIGNS:
            wanted |= _selected(definitions, name)
            continue
        if name not in known:
            _refuse_books(definitions, {name}, known)
            raise _no_such_asset(name, known)
        wanted.add(name)
    _refuse_books(definitions, wanted, known)
    return tuple(name for name in known if name in wanted)


def _refuse_books(definitions: dg.Definitions, names: Iterable[str], known: Sequence[str]) -> None:
    """Refuse assets of strategy portfolios: they are made by book, not by date and symbol."""
    graph = definitions.resolve_asset_graph()
    every = {key.to_user_string() for key in graph.materializable_asset_keys}
    of_books = sorted((set(names) & every) - set(known))
    if of_books:
        raise PlatformError(
            "is made for a book of strategies, not for dates and symbols",
            place=", ".join(of_books),
            next_step="Use mr portfolio load, optimize or report; or materialise it in the UI",
            misused=True,
        )


_SELECTION_SIGNS = frozenset('+:*"()')


def _selected(definitions: dg.Definitions, text: str) -> set[str]:
    """Assets of a selection in Dagster's syntax, e.g. ``group:features`` or ``+c8_features``."""
    graph = definitions.resolve_asset_graph()
    known = materializable_assets(definitions)
    named = text.strip("+*").removeprefix("key:").strip('"')
    if named.isidentifier() and named not in known:
        raise _no_such_asset(named, known, place=text)
    core = text.removeprefix("+").removesuffix("+")
    try:
        with warnings.catch_warnings():
            # selecting a group is beta in 1.13
            warnings.simplefilter("ignore", dg.BetaWarning)
            selection = dg.AssetSelection.from_string(core)
            if text.startswith("+"):
                selection = selection.upstream()
            if text.endswith("+"):
                selection |= dg.AssetSelection.from_string(core).downstream()
            keys = selection.resolve(graph)
    except (dg.DagsterError, ValueError) as error:
        raise PlatformError(
            "cannot be read as a selection of assets",
            place=text,
            next_step="Write group:features, +c8_features (with all it reads) or an asset's name; "
            "several with commas between them",
            misused=True,
        ) from error
    if not keys:
        groups = sorted(graph.all_group_names)
        near = get_close_matches(core.removeprefix("group:"), groups, n=1)
        hint = f"Near: group:{near[0]}. " if near else ""
        raise PlatformError(
            "selects no asset",
            place=text,
            next_step=f"{hint}Groups: {', '.join(groups)}",
            misused=True,
        )
    return {key.to_user_string() for key in keys & graph.materializable_asset_keys}


def _no_such_asset(name: str, known: Sequence[str], place: str | None = None) -> PlatformError:
    """The fault of an unknown name; ``place`` is the selection that holds it."""
    near = get_close_matches(name, known, n=2)
    hint = f"Assets: {', '.join(known)}"
    if near:
        hint = f"Near: {', '.join(near)}; `mr status` lists all"
    if place is None:
        return PlatformError("no such asset", place=name, next_step=hint, misused=True)
    return PlatformError(f"there is no asset {name}", place=place, next_step=hint, misused=True)


def stages(assets: Sequence[str]) -> list[tuple[str, ...]]:
    """Assets cut into stages, each run over all partitions before the next begins.

    Runs go symbol by symbol, but c6 reads the panels of both symbols, and a component the
    history of the days before: raw tables first, then panel and history, then components.

    Args:
        assets: Asset names in data order.
    """
    cut: list[list[str]] = [[], [], []]
    for name in assets:
        table = derived_table(name)
        if table is None:
            cut[0].append(name)
        elif table.group == "features" or name == "hist_c8_zone":
            cut[2].append(name)
        else:
            cut[1].append(name)
    return [tuple(stage) for stage in cut if stage]
