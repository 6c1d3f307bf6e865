"""Column schemas of tables as Dagster shows them.

Here: declared columns → ``TableSchema``. Not here: the declarations (``registry/``).
"""
