"""Features: the option chain to a minute panel, the panel to the eight component tables.

Here, when it comes: the minute panel, day history, one module a component (c1 … c8), kernels.
Not here: files, tables, dagster; which columns exist (``registry/declared``).
"""
