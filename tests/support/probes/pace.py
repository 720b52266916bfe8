"""How long "at once" is on the machine as it is now."""

from __future__ import annotations

import os
from pathlib import Path


def patience(seconds: float) -> float:
    """``seconds`` where there is a core for each process that wants one; longer by as much as there are too few.

    Of what waited in the last minute and what waits now, the larger counts. Ask when the time has passed.
    """
    last_minute, *_, running, _newest = Path("/proc/loadavg").read_text().split()
    wanting = max(float(last_minute), float(running.partition("/")[0]))
    return seconds * max(1.0, wanting / (os.cpu_count() or 1))
