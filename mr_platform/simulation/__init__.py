"""Seeded, deterministic option-chain days, their writers in every input dialect, their faults."""
