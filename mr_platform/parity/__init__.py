"""Parity: do the platform's numbers agree with the legacy numbers, cell by cell.

Here, when it comes: tolerance, comparison, the report of violations.
Not here: reading either side (``gateways/``), what follows from a failure (``gates/``).
"""
