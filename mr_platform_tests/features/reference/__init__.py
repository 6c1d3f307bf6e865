"""Naive second implementation of every declared feature, written from the definitions."""
