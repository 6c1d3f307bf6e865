"""Writes what is rendered from the registry: ``python -m mr_platform.registry.render [--check]``.

Here: which files are rendered and whether they are fresh.
Not here: their text (``render_ddl.py``, ``render_features_page.py``,
``render_portfolio_pages.py``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mr_platform.errors import RegistryError
from mr_platform.registry.render_ddl import render_ddl
from mr_platform.registry.render_features_page import (
    render_decisions_page,
    render_features_page,
)
from mr_platform.registry.render_portfolio_pages import render_parity_page, render_tables_page

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = "python -m mr_platform.registry.render"


def rendered_files() -> dict[str, str]:
    """Text of every rendered file by its path in the repository."""
    files = {f"ddl/{name}": text for name, text in render_ddl().items()}
    return {
        **files,
        "docs/features.md": render_features_page(),
        "docs/features_decisions.md": render_decisions_page(),
        "docs/portfolio_tables.md": render_tables_page(),
        "docs/portfolio_parity.md": render_parity_page(),
    }


def stale_files(root: Path) -> list[str]:
    """Rendered files under a root that are missing, differ or are no longer rendered."""
    files = rendered_files()
    stale = [
        name
        for name, text in files.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]
    left = [f"ddl/{path.name}" for path in sorted((root / "ddl").glob("*.sql"))]
    return stale + [name for name in left if name not in files]


def write_files(root: Path) -> list[str]:
    """Write what is stale and delete what is no longer rendered; returns those names."""
    files = rendered_files()
    stale = stale_files(root)
    for name in stale:
        path = root / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()
    return stale


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 1 when --check finds stale files or the registry is wrong."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Render DDL and feature reference.")
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="repository root")
    options = parser.parse_args(arguments)
    try:
        changed = stale_files(options.root) if options.check else write_files(options.root)
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    for name in changed:
        print(f"{'stale' if options.check else 'written'}: {name}")
    if options.check and changed:
        print(f"Run `{COMMAND}`", file=sys.stderr)
        return 1
    print(f"{len(rendered_files())} rendered files are fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
