"""Kernels: one formula each, expressions in, one expression out.

Here: the formula, its null and warm-up rule, its source.
Not here: which windows or columns a component uses (the component's own module).
"""
