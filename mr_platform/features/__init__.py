"""Features: the option chain to a minute panel, the panel to the eight component tables.

Here: the minute panel, day history, the modules of each component (c1 … c8), kernels.
Not here: files, tables, dagster; which columns exist (``registry/declared``).
"""
