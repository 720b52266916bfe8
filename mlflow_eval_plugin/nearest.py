"""What somebody may have meant by a name that nothing has."""

from __future__ import annotations

from rapidfuzz import process


def nearest(name: str, names: list[str]) -> str:
    """``, did you mean 'x' or 'y'?`` where names come near, else the columns there are."""
    near = [repr(match) for match, _, _ in process.extract(name, names, limit=3, score_cutoff=60)]
    if near:
        return f", did you mean {' or '.join(near)}?"
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"; the data has: {listed or 'no columns'}"
