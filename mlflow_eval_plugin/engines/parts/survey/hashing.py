"""The first pass by what rows hold: the digest of all rows, and the sample that a plan is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from mlflow_eval_plugin.engines.arrow.digest import DigestSummary, digested
from mlflow_eval_plugin.engines.arrow.sampling import Digests, are_many, begins, thinned, zeros_for
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.engines.parts.survey.sums import SumsOfColumns
from mlflow_eval_plugin.stats.arrays import IntArray


@dataclass(frozen=True, eq=False)
class HashSample:
    """Rows by their own digests: those that begin with the fewest zero bits of which there are not too many.

    Attributes:
        zeros: with how many zero bits the digest of each begins.
        digests: of the rows; of rows that are alike the same.
        times: how often each row comes.
        table: the rows, as the source has them.
    """

    zeros: int
    digests: Digests
    times: IntArray
    table: pa.Table

    def __add__(self, other: HashSample) -> HashSample:
        """The sample of both sets of rows."""
        zeros = max(self.zeros, other.zeros)
        first, second = self._from(zeros), other._from(zeros)
        found = HashSample(
            zeros,
            np.concatenate([first.digests, second.digests]),
            np.concatenate([first.times, second.times]),
            pa.concat_tables([first.table, second.table]),
        )
        return found.reduced()

    def reduced(self) -> HashSample:
        """The same with as many zero bits as leave no more rows than a sample has."""
        if not are_many(len(self.digests)):
            return self
        once = self._once()
        return once._from(zeros_for(once.digests, once.zeros))

    def _from(self, zeros: int) -> HashSample:
        if zeros == self.zeros:
            return self
        kept = begins(self.digests, zeros)
        return HashSample(zeros, self.digests[kept], self.times[kept], self.table.filter(pa.array(kept)))

    def _once(self) -> HashSample:
        """The same, each row once."""
        digests, first, place = np.unique(self.digests, return_index=True, return_inverse=True)
        if len(digests) == len(self.digests):
            return self
        times = np.zeros(len(digests), dtype=np.int64)
        np.add.at(times, place, self.times)
        return HashSample(self.zeros, digests, times, self.table.take(pa.array(first)))

    @cached_property
    def part(self) -> Part:
        """The rows of the sample, each as often as it is in it; all rows where there are few."""
        places = thinned(self.digests, self.times)
        return Part(self.table.combine_chunks().take(pa.array(places)))


@dataclass(frozen=True, eq=False)
class DigestAnswer:
    """See ``Digest``."""

    summary: DigestSummary
    sums: SumsOfColumns
    sample: HashSample

    def __add__(self, other: DigestAnswer) -> DigestAnswer:
        """Those of both sets of rows."""
        return DigestAnswer(self.summary + other.summary, self.sums + other.sums, self.sample + other.sample)


@dataclass(frozen=True)
class Digest:
    """Digests all rows, and samples them.

    Attributes:
        stored: what the digest is of, by name.
        sampled: the columns of the sample.
    """

    stored: Shown
    sampled: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return tuple(dict.fromkeys((*self.stored.columns, *self.sampled)))

    def of(self, part: Part) -> DigestAnswer:
        """Of a part."""
        found = digested(self.stored.of(part))
        sources = {one.name: one.source for one in self.stored.each}
        sums = {sources[name]: total for name, total in found.columns.items()}
        table = part.table.select(list(self.sampled)).replace_schema_metadata(None)
        times = np.ones(part.rows, dtype=np.int64)
        sample = HashSample(0, found.lane, times, table).reduced()
        return DigestAnswer(found.summary, SumsOfColumns(part.rows, sums), sample)


def frame_of_sample(sample: HashSample, shown: Shown, names: Sequence[str]) -> pd.DataFrame:
    """Some columns of the rows of a sample."""
    return shown.some(tuple(names)).of(sample.part)
