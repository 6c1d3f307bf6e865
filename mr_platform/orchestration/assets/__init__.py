"""Assets, in data order: raw (``option_chain.py``)."""
