"""Reports: HTML pages and a few figures of Evidence documents, drawn from the documents and nothing else."""

from mlflow_eval_plugin.reports.check_changes import CheckChange, compare
from mlflow_eval_plugin.reports.pages.diff import render_diff
from mlflow_eval_plugin.reports.pages.page import render, render_joined
from mlflow_eval_plugin.reports.pages.trend import render_trend

__all__ = ["CheckChange", "compare", "render", "render_diff", "render_joined", "render_trend"]
