"""What Spark's workers have installed, asked before they are sent anything that needs it."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from mlflow_eval_plugin.stats.errors import InputError

_PACKAGE: Final = "mlflow-registry-hooks"
# Sent as text, and not as a function of this package, which a worker without the package could not read.
_PROBE: Final = """
def asked(batches):
    import json, sys
    from importlib import metadata
    import numpy, pyarrow
    for _ in batches:
        pass
    found = {"python": sys.version.split()[0], "numpy": numpy.__version__}
    try:
        import mlflow_eval_plugin.engines.parts
        found["package"] = "unknown"
        found["package"] = metadata.version("mlflow-registry-hooks")
    except metadata.PackageNotFoundError:
        pass
    except ImportError as error:
        found["error"] = str(error)
    yield pyarrow.record_batch([pyarrow.array([json.dumps(found)])], names=["found"])
"""


def require_same_package(frame: Any) -> None:
    """Ask one worker what it has.

    Raises:
        InputError: when it lacks this package, or has another version of it or of NumPy's pickles; it names both.
    """
    found, own = _there(frame), json.loads(_here())
    if "error" in found:
        raise InputError(
            f"data: the workers of this Spark session (Python {found.get('python', 'unknown')}) lack what counts rows "
            f"({found['error']}); install {_PACKAGE} {own['package']} on them, or write the rows as Parquet and give "
            "the path"
        )
    differing = [
        f"{name} {own[name]} here and {found[name]} there"
        for name, parts in (("package", None), ("numpy", 1))
        if own[name].split(".")[:parts] != found[name].split(".")[:parts]
    ]
    if differing:
        raise InputError(
            f"data: the workers of this Spark session have other versions: {'; '.join(differing)}; install the same"
        )


def _there(frame: Any) -> dict[str, str]:
    from pyspark.errors import PySparkException

    try:
        told = frame.sparkSession.range(1).repartition(1).mapInArrow(_probe(), "found string").collect()
    except PySparkException as error:
        if missing := re.search(r"No module named '[\w.]+'", str(error)):  # what Spark itself needs to ask
            return {"error": missing[0]}
        raise
    found: dict[str, str] = json.loads(told[0][0])
    return found


def _probe() -> Any:
    # A function of "__main__" is sent by value.
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(_PROBE, scope)
    return scope["asked"]


def _here() -> str:
    return str(next(_probe()([])).column(0)[0].as_py())
