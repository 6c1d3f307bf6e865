"""Gates: named criteria to one verdict, GO, NO-GO or PENDING, with its evidence.

Here, when it comes: criteria, verdicts, blocking decisions.
Not here: comparing numbers (``parity/``), fetching facts (``gateways/``).
"""
