"""``python -m mr_platform.cli`` is ``mr``."""

from __future__ import annotations

from mr_platform.cli.application import main

if __name__ == "__main__":
    main()
