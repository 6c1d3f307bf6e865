"""The option chain: raw rows of any dialect to one canonical table, with an account of every row.

Here: dialects, units, sessions, strikes, pricing, quality rules; frames in, frames out.
Not here: opening files and tables (``gateways/``), what a column is (``registry/``), when to run
(``orchestration/``). No module of this room reads a file, the environment or the clock.
"""
