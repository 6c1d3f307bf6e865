"""HOW a run is tuned: profiles of settings, checked by a schema.

Here: paths, compression, limits, intervals, dated market conventions.
Not here: WHAT a column is (``registry/``), formulas, secrets.
"""
