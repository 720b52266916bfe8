"""Which reviews are open, of all models, read anew only where a model's state has changed."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.records import Review
from registry_hooks.storage.kept.states import read_model_state
from registry_hooks.storage.ledger import SCOPES
from registry_hooks.storage.schema import states as _states

_WITH_REVIEWS = '%"reviews":[{%'  # in a state, as it is stored


def open_reviews(session: Session, after: int) -> tuple[dict[str, tuple[Review, ...]], int]:
    """The open reviews of models whose state has changed since entry ``after``, and the newest such entry.

    From the beginning (0) models without reviews are left out.
    """
    changed = sa.select(_states.c.model, _states.c.seq, _states.c.state).where(
        _states.c.seq > after, _states.c.model.not_in(SCOPES)
    )
    if after == 0:
        changed = changed.where(_states.c.state.like(_WITH_REVIEWS))
    newest = session.execute(sa.select(sa.func.max(_states.c.seq))).scalar_one()
    rows = session.execute(changed).all()
    return {str(row.model): read_model_state(row.model, row.state).reviews for row in rows}, int(newest or 0)
