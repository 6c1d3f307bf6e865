"""Search for good portfolios: one algorithm a module, all with one signature.

Here, when it comes: the algorithms.
Not here: what good means (``portfolio/`` fitness).
"""
