"""Errors that say what was expected, what was found and what to do; every floor above may raise and catch them."""

from __future__ import annotations


class InputError(ValueError):
    """Rows, columns or options that cannot be evaluated."""


class TooManyLevels(InputError):
    """A slice column with more levels than can be judged one by one."""


class MergeError(InputError):
    """Two Summaries that were not counted on the same grid."""
