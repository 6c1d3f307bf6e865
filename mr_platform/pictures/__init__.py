"""Pictures of tables: one symbol-day as a PNG and as a page, for people.

Here: plots of prices, volatility, open interest and scores, the map of nulls, the page around them.
Not here: files, tables, dagster (``orchestration/``), formulas of features (``features/``).
"""
