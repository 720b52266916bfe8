"""The ``evidence`` command: evaluate data, see beforehand what it takes, and how Checks went from run to run."""
