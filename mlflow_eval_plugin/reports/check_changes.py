"""Each Check of two documents of one kind: as it was, and as it is."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.kinds import kind_and_task
from mlflow_eval_plugin.reports.sentences.ranking import worst_first


@dataclass(frozen=True)
class CheckChange:
    """One Check in both documents, by its id; None where a document has it not."""

    before: Check | None
    after: Check | None

    @property
    def either(self) -> Check:
        """The later of the two that there is."""
        found = self.after or self.before
        if found is None:
            raise ValueError("one of the two documents has the Check")
        return found

    @property
    def moved(self) -> str:
        """Its verdicts before and after, with ``none`` where a document has it not: ``pass fail``, ``none fail``."""
        return " ".join(side.verdict if side else "none" for side in (self.before, self.after))

    @property
    def other_tolerance(self) -> bool:
        """Whether it was held against another tolerance before."""
        return (
            self.before is not None
            and self.after is not None
            and (self.before.minimum, self.before.maximum) != (self.after.minimum, self.after.maximum)
        )


def compare(before: Evidence, after: Evidence) -> tuple[CheckChange, ...]:
    """The Checks of two documents by their ids: the worst of the later document first, those that are gone last.

    Raises:
        EvidenceError: for documents of different kinds or tasks, whose Checks cannot be the same.
    """
    kinds = [kind_and_task(one) for one in (before, after)]
    if kinds[0] != kinds[1]:
        raise EvidenceError(
            f"expected two documents of one kind, found {kinds[0]} before and {kinds[1]} after; "
            "compare each with an earlier one of its kind"
        )
    earlier = {check.id: check for check in before.checks}
    changes = [CheckChange(earlier.pop(check.id, None), check) for check in worst_first(after.checks)]
    return (*changes, *(CheckChange(check, None) for check in worst_first(list(earlier.values()))))
