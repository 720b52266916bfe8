"""Send a server 500 requests a route and mode, or as many as the first argument says; its memory is bounded, too."""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.fuzzing import LARGEST_GROWTH, fuzz
from support.releasing import govern, serve
from support.serving import ADMIN, start

if __name__ == "__main__":
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder), "--workers", "2", "--auth-cache-seconds", "600")
        try:
            model = govern(server, "fuzzed")
            serve(server, model)
            serve(server, model)
            outcome = fuzz(server, model, each, number=int(time.time()))
            sound = server.ask(ADMIN, "GET", "audit/verify").json()["ok"]
        finally:
            server.process.stop()
    print(f"{sum(outcome.statuses.values())} requests, statuses {outcome.statuses}, slowest {outcome.slowest:.2f} s, "
          f"the largest process grew by {outcome.growth:.0f} MiB of at most {LARGEST_GROWTH:.0f}")  # fmt: skip
    sys.exit(0 if sound else "the audit log does not add up")
