"""A declaration that fills one file of its own: read and checked, or all of its faults at once.

Here: from a path to what the file's own reader makes of it.
Not here: what a file means (``strategy_files``, ``regimes``, ``recorded_figures``,
``portfolio_tables``); the folder of features, whose files are checked together (``loader``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from mr_platform.errors import RegistryError
from mr_platform.registry.faults import FaultList, Source
from mr_platform.registry.marked_yaml import read_marked

PORTFOLIO: Final = Path(__file__).with_name("declared") / "portfolio"
"""Declarations of strategy portfolios. A folder of its own: the loader of the feature registry
takes every YAML file beside it for its own."""

_Declared = TypeVar("_Declared")


def read_declaration(path: Path, meaning: Callable[[Source, Any], _Declared]) -> _Declared:
    """What a file declares.

    Args:
        path: A YAML file.
        meaning: Makes the declaration of the file's data; tells its faults to the source.

    Raises:
        RegistryError: The file cannot be read or is wrong; carries every fault with its line.
    """
    faults = FaultList()
    try:
        document = read_marked(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError([f"{path.name}:1: the file cannot be read: {error}"]) from error
    declared = meaning(Source(path.name, document, faults), document.data)
    if faults:
        raise RegistryError(faults.texts())
    return declared
