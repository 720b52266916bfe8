"""Reports: one HTML page and a few figures per Evidence document, drawn from the document and nothing else."""

from mlflow_eval_plugin.reports.page import render

__all__ = ["render"]
