"""The quorum as seats: each asks for one role, and each person fills one seat at most.

Counting heads a role would let one person who holds two roles be the two pairs of eyes that a policy asks for. So seats
and people are matched, as many as can be (augmenting paths; Berge, "Two theorems in graph theory", Proceedings of the
National Academy of Sciences 43 (1957)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seat:
    """One of the approvals that a policy asks for: the ``number``-th of a role."""

    role: str
    number: int


def seated(seats: Sequence[Seat], people: Mapping[str, frozenset[str]]) -> dict[Seat, str]:
    """Who fills which seat, with as many seats filled as can be; ties go to the seats and people named first.

    Args:
        seats: the seats; those that nobody can fill are left out of the answer.
        people: the roles that each person signs in.
    """
    taken: dict[Seat, str] = {}
    in_vain: set[Seat] = set()  # a search that failed once fails ever after: its seats need no second one
    for person in people:
        tried = set(in_vain)
        if not _seat(person, seats, people, taken, tried):
            in_vain = tried
    return taken


def _seat(
    person: str,
    seats: Sequence[Seat],
    people: Mapping[str, frozenset[str]],
    taken: dict[Seat, str],
    tried: set[Seat],
) -> bool:
    for seat in seats:
        if seat.role not in people[person] or seat in tried:
            continue
        tried.add(seat)
        holder = taken.get(seat)
        if holder is None or _seat(holder, seats, people, taken, tried):
            taken[seat] = person
            return True
    return False
