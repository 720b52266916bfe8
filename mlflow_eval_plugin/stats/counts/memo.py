"""What is computed of a Summary, each thing once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast

from mlflow_eval_plugin.stats.counts.slice import Slice

Found = TypeVar("Found")


class BySlice(Protocol):
    """A Summary by slice."""

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices, "overall" first."""


Counted = TypeVar("Counted", bound=BySlice)


@dataclass(frozen=True, eq=False)
class Memo(Generic[Counted]):
    """A Summary by slice, and what was already computed of it."""

    summary: Counted
    _made: dict[tuple[object, ...], object] = field(default_factory=dict, init=False, repr=False)

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices, "overall" first."""
        return self.summary.slices

    def once(self, make: Callable[[], Found], *key: object) -> Found:
        """What ``make`` gives; it is called once for each key."""
        if key not in self._made:
            self._made[key] = make()
        return cast(Found, self._made[key])
