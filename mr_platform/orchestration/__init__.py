"""The only room that knows Dagster.

Here: partitions, resources, I/O manager, assets, checks, sensors, schedules, jobs.
Not here: formulas, SQL, file formats; those are called, never written, in this room.
"""
