"""Questions that people ask of the registry.

Here: lists, one column by name, a search over names and definitions.
Not here: printing (``cli.py``).
"""

from __future__ import annotations

from mr_platform.errors import PlatformError
from mr_platform.registry.faults import hint
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS, FeatureColumn, Registry


def list_features(
    component: str | None = None,
    *,
    online: bool = False,
    block: str | None = None,
    registry: Registry | None = None,
) -> tuple[FeatureColumn, ...]:
    """Features in declared order.

    Args:
        component: ``c1`` … ``c8``, ``labels``, or None for all eight components.
        online: Only what is served online.
        block: Only one block of the component.
        registry: The registry; None for the package's own.

    Raises:
        PlatformError: No such component or block.
    """
    declared = registry or load_registry()
    known = (*COMPONENTS, "labels")
    if component is not None and component not in known:
        raise PlatformError(
            f"no component {component} is declared{hint(component, known)}", misused=True
        )
    if component is None:
        columns = declared.features
    elif component == "labels":
        columns = declared.labels.columns
    else:
        columns = declared.components[component].columns
    blocks = {column.block for column in columns}
    if block is not None and block not in blocks:
        raise PlatformError(f"no block {block} is declared{hint(block, blocks)}", misused=True)
    return tuple(
        column
        for column in columns
        if (column.online or not online) and block in (None, column.block)
    )


def describe_feature(name: str, *, registry: Registry | None = None) -> FeatureColumn:
    """One feature or label by its name.

    Raises:
        PlatformError: No such column; names the near ones.
    """
    declared = registry or load_registry()
    columns = {column.name: column for column in (*declared.features, *declared.labels.columns)}
    if name not in columns:
        raise PlatformError(
            f"{name} is not declared{hint(name, columns)}",
            place=_place_of(name, declared),
            next_step="`mr features search WORD` looks in names and definitions",
            misused=True,
        )
    return columns[name]


def search_features(word: str, *, registry: Registry | None = None) -> tuple[FeatureColumn, ...]:
    """Features and labels that hold a word, names first, then definitions and references.

    Case does not count; several words must all be found.
    """
    declared = registry or load_registry()
    words = word.lower().split()
    columns = (*declared.features, *declared.labels.columns)

    def text(column: FeatureColumn) -> str:
        return " ".join(
            (column.name, column.definition, column.reference, column.unit, column.block)
        ).lower()

    found = [c for c in columns if words and all(w in text(c) for w in words)]
    named = [c for c in found if all(w in c.name for w in words)]
    return (*named, *(c for c in found if c not in named))


def _place_of(name: str, declared: Registry) -> str:
    component = declared.components.get(name[:2])
    return f"{component.stem}.yaml" if component else "registry"
