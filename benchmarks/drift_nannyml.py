"""NannyML's alerts on draws that somebody else made; run by soak_drift_defaults.py in an environment of its own.

    python benchmarks/drift_nannyml.py reference.parquet windows.parquet 2000

The windows stand one after the other, of so many rows each. Prints a JSON list, for each window the columns with an
alert. All is as the library has it where nothing is asked for: univariate drift, Jensen-Shannon, an alert above the
mean and three standard deviations of the reference's chunks, which are of the window's size.
"""

import json
import logging
import sys
import warnings

import nannyml
import numpy as np
import pandas as pd


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    before, after, rows = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2]), int(sys.argv[3])
    # It stops at infinite values.
    names = [name for name in before.columns if not np.isinf(pd.to_numeric(after[name], errors="coerce")).any()]
    calculator = nannyml.UnivariateDriftCalculator(column_names=names, chunk_size=rows)
    calculator.fit(before[names])
    found = calculator.calculate(after[names]).filter(period="analysis").to_df()
    alerts = {name: found[(name, "jensen_shannon", "alert")].to_list() for name in names}
    print(json.dumps([[name for name in names if alerts[name][draw]] for draw in range(len(after) // rows)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
