"""The ``mr`` commands, for people without the UI: one module for each group of commands.

Here: arguments, progress, texts for people, JSON for programs, exit codes.
Not here: maths, SQL, dagster (``orchestration/`` runs the graph); heavy imports at module level.
"""

from __future__ import annotations

from mr_platform.cli.application import main

__all__ = ["main"]
