"""Reads the declared folder: every fault of every file at once, or the registry.

Here: which files there are, checks across files (unique names, references, reading order).
Not here: what one file means (``component_file.py``, ``raw_schema.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from mr_platform.errors import RegistryError
from mr_platform.registry.component_file import (
    STEMS,
    Shared,
    read_component,
    read_history,
    read_panel,
    read_shared,
)
from mr_platform.registry.faults import FaultList, Source, hint, near_names
from mr_platform.registry.marked_yaml import MarkedDocument, read_marked
from mr_platform.registry.model import (
    COMPONENTS,
    Component,
    Family,
    FeatureColumn,
    HistoryTable,
    Registry,
)
from mr_platform.registry.raw_schema import read_raw_chain

DECLARED = Path(__file__).with_name("declared")
FILES = ("raw_chain", "minute_panel", "shared", "history", *STEMS.values())

# c1..c5 and c7 read the panel only, c6 reads them, c8 reads all before it
READS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("c1", "c2", "c3", "c4", "c5", "c7", "labels"), ()),
    "c6": ("c1", "c2", "c3", "c4", "c5", "c7"),
    "c8": ("c1", "c2", "c3", "c4", "c5", "c6", "c7"),
}


def load_registry(folder: Path | None = None) -> Registry:
    """Everything declared, checked and expanded.

    Args:
        folder: Folder of the YAML files; None reads the package's own, once a process.

    Raises:
        RegistryError: Any file is wrong; carries every fault of every file, with file and line.
    """
    return _load(DECLARED) if folder is None else read_registry(folder)


@lru_cache(maxsize=1)
def _load(folder: Path) -> Registry:
    return read_registry(folder)


def read_registry(folder: Path) -> Registry:
    """Read a folder of declarations afresh; see :func:`load_registry`."""
    faults = FaultList()
    sources = _open(folder, faults)
    shared = read_shared(sources["shared"]) if "shared" in sources else Shared({}, {})
    history = read_history(sources["history"]) if "history" in sources else {}
    raw_chain = read_raw_chain(sources["raw_chain"]) if "raw_chain" in sources else None
    panel = read_panel(sources["minute_panel"]) if "minute_panel" in sources else ()
    read = {
        name: read_component(sources[stem], name, shared, history)
        for name, stem in STEMS.items()
        if stem in sources
    }
    _check_unique(read, sources)
    _check_shared_used(shared, read, sources)
    _check_history_used(history, read, sources)
    linked = {name: _with_reads(component, read, sources) for name, component in read.items()}
    if faults or raw_chain is None or len(linked) != len(STEMS):
        raise RegistryError(faults.texts())
    labels = linked.pop("labels")
    return Registry(
        raw_chain=raw_chain,
        components={name: linked[name] for name in COMPONENTS},
        labels=labels,
        history=history,
        panel=panel,
    )


def _open(folder: Path, faults: FaultList) -> dict[str, Source]:
    present = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    for stem in present:
        if stem not in FILES:
            faults.add(f"{stem}.yaml", 1, f"unknown file{hint(stem, FILES)}")
    sources = {}
    for stem in FILES:
        file = f"{stem}.yaml"
        if stem not in present:
            near = near_names(stem, set(present) - set(FILES))
            found = f". Near: {', '.join(near)}" if near else ""
            faults.add(file, 1, f"the file is missing in {folder.name}{found}")
            continue
        document = _read(present[stem], file, faults)
        if document is not None:
            sources[stem] = Source(file, document, faults)
    return {stem: s for stem, s in sources.items() if s.document.data is not None}


def _read(path: Path, file: str, faults: FaultList) -> MarkedDocument | None:
    try:
        return read_marked(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        faults.add(file, 1, f"the file cannot be read: {error}")
        return None


def _check_unique(read: Mapping[str, Component], sources: Mapping[str, Source]) -> None:
    first: dict[str, str] = {}
    for component in read.values():
        source = sources[component.stem]
        for family in component.families:
            for column in family.columns:
                if column.name in first:
                    source.faults.add(
                        source.file,
                        family.line,
                        f"the column {column.name} is declared twice, "
                        f"first in {first[column.name]}",
                    )
                first.setdefault(column.name, f"{source.file}:{family.line}")


def _check_shared_used(
    shared: Shared, read: Mapping[str, Component], sources: Mapping[str, Source]
) -> None:
    used = {name for c in read.values() for name in (*c.conventions, *c.series)}
    for kind, names in (("conventions", shared.conventions), ("series", shared.series)):
        for name in names:
            if name not in used:
                sources["shared"].fault((kind, name), f"no component uses {name}")


def _check_history_used(
    history: Mapping[str, HistoryTable],
    read: Mapping[str, Component],
    sources: Mapping[str, Source],
) -> None:
    used = {
        t for c in read.values() for column in c.columns for t in column.lookback.history_tables
    }
    for name in history:
        if name not in used:
            sources["history"].fault(("tables", name), f"no column reads {name}")


def _with_reads(
    component: Component, read: Mapping[str, Component], sources: Mapping[str, Source]
) -> Component:
    """The component with what each definition mentions; unknown mentions are faults."""
    columns = {column.name for c in read.values() for column in c.columns}
    known = columns | {family.name for c in read.values() for family in c.families}
    source = sources[component.stem]

    def check(family: Family, mention: str) -> None:
        if mention not in known and not any(name.startswith(f"{mention}_") for name in columns):
            fault = f"the definition names {mention}, which is not declared{hint(mention, known)}"
            source.faults.add(source.file, family.line, fault)
            return
        allowed = (component.name, *READS[component.name])
        if mention[:2] not in allowed:
            source.faults.add(
                source.file,
                family.line,
                f"the definition names {mention}: {component.name} may read "
                f"{', '.join(READS[component.name]) or 'no other component'}",
            )

    def linked(family: Family, column: FeatureColumn) -> FeatureColumn:
        if not column.reads:
            return column
        for mention in column.reads:
            check(family, mention)
        reads = tuple(m for m in column.reads if m in columns and m != column.name)
        return dataclasses.replace(column, reads=reads)

    families = tuple(
        dataclasses.replace(f, columns=tuple(linked(f, column) for column in f.columns))
        for f in component.families
    )
    return dataclasses.replace(component, families=families)
