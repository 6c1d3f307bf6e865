"""Asset checks: one file for each asset that has any."""
