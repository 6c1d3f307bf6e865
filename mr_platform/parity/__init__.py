"""Parity: do the platform's numbers agree with the legacy numbers, cell by cell.

Here: tolerance, comparison, the account of violations; the legacy formulas a second time.
Not here: reading either side (``gateways/``), what follows from a failure (``gates/``).
"""
