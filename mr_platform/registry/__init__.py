"""The registry: WHAT a column is.

Here: ``declared/*.yaml`` (raw chain, c1 to c8, labels, history), the loader that checks and
expands them, what is rendered from them (DDL, feature reference, expectations), code versions.
Not here: formulas as code (``features/``), rules as code (``chain/quality.py``), settings
(``config/``).
"""
