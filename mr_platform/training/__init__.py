"""Training: labels, dataset, splits, models, evaluation.

Here, when it comes: pure functions over feature frames.
Not here: reading tables or storing models (``gateways/``).
"""
