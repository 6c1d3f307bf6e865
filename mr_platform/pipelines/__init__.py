"""Pipelines: the cloud's pipeline and the entry points of its containers.

Here, when it comes: steps wired in order and their arguments.
Not here: a second copy of any step; each calls the room that owns it.
"""
