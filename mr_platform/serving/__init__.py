"""Serving: feature values and regimes answered to trading systems in milliseconds.

Here, when it comes: the service and its routes.
Not here: dagster, feature formulas (``features/``), stores (``gateways/``).
"""
