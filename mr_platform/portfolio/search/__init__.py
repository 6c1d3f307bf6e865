"""Search for good portfolios: one algorithm a module, all behind one interface.

``algorithms`` lists them by name, ``engine`` runs one within a budget, ``searches`` runs many from
one root seed, ``problem`` and ``swaps`` tell what portfolios and their neighbours are worth.

Here: the algorithms and what they share.
Not here: what good means (``portfolio/fitness``), files, reports. No result depends on a clock; it
only says when the state of a long search is kept.
"""
