"""Gateways: the only room that touches the outside, each door behind a small protocol.

Here: the lakehouse (Delta tables), the landing zone and its catalogue, raw files, notifications.
Not here: dagster, what rows mean (``chain/``), decisions on when to write (``orchestration/``).
"""
