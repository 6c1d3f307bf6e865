"""Portfolios of option strategies: returns, fitness, correlation, risk, sizing, zones.

Here, when it comes: pure measures over frames of strategy results.
Not here: reading strategy files (``gateways/``), search algorithms (``portfolio/search``).
"""
