"""Is what many clients saw at once what one client could have seen, one call after another, in the ledger's order?

The ledger gives the order: each acknowledged write is held against its entry, each model's entries are folded by the
product's own `pair.fold`, and every answer, refusal and read must be explained by the state at some moment between its
call and its answer. Times are of one monotonic clock. What has no answer (a server that was killed) is in doubt: it may
have an entry or none.

``anomalies`` is pure; `hammering` makes histories, and `test_linearizing` doctors them to show that it sees.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from registry_hooks.errors import RegistryError
from registry_hooks.identity import SYSTEM
from registry_hooks.records import Entry, ModelState, Pair
from registry_hooks.rules import pair as rules

NATIVE = {
    "champion": ("promoted", "rolled-back"),
    "production": ("promoted", "rolled-back"),
    "challenger": ("nominated",),
    "staging": ("nominated",),
}
WRITES = {
    "register": "registered", "nominate": "nominated", "request": "requested", "approve": "approved",
    "reject": "rejected", "promote": "promoted", "rollback": "rolled-back", "delete": "deleted",
}  # fmt: skip


@dataclass
class Op:
    """One call of one client: what it asked, when, and what it was told. ``status`` 0: no answer, or a 5xx."""

    kind: str
    model: str
    user: str
    token: str
    version: int | None = None
    to: int | None = None
    expected: int | None = None
    begin: float = 0.0
    end: float = float("inf")
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether it was acknowledged."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether it was answered with a refusal, after which nothing may have happened."""
        return 400 <= self.status < 500

    def __str__(self) -> str:
        said = f"{self.kind} {self.model} version {self.version} by {self.user} ({self.token})"
        return f"{said} [{self.begin:.4f}, {self.end:.4f}] -> {self.status} {str(self.answer)[:300]}"


@dataclass
class Line:
    """One model's life: its entries in order, the state before and after each, and the versions that were there."""

    entries: list[Entry] = field(default_factory=list)
    states: list[ModelState] = field(default_factory=list)
    alive: list[frozenset[int]] = field(default_factory=list)
    earliest: list[float] = field(default_factory=list)
    latest: list[float] = field(default_factory=list)

    def between(self, begin: float, end: float) -> Iterable[int]:
        """Numbers of the states that may have been the newest at some moment of the interval."""
        return range(bisect_left(self.latest, begin), bisect_right(self.earliest, end) + 1)


def anomalies(ops: list[Op], entries: list[Entry], base: int) -> list[str]:
    """Everything in the history that no order of single calls explains; empty when there is nothing.

    Args:
        ops: all calls of all clients.
        entries: the whole ledger, in order.
        base: the size of the ledger when the clients began; entries up to it are taken as they are.
    """
    found: list[str] = []
    claimed = _claims(ops, entries, base, found)
    _claim_the_rest(ops, entries, base, claimed, _bounds(claimed, entries))
    earliest, latest = _bounds(claimed, entries)
    found += _out_of_order(claimed, entries)
    lines = _lines(entries, base, earliest, latest, found)
    found += [f"entry {e.seq} ({e.action} {e.model} {e.version} by {e.actor}): nobody asked for it"
              for e in entries if e.seq > base and e.seq not in claimed and e.action != "files-checked"]  # fmt: skip
    places = {entry.seq: (line, place) for line in lines.values() for place, entry in enumerate(line.entries)}
    for seq, op in claimed.items():
        if op.done and seq in places:
            found += _wrong_answer(op, *places[seq])
    by_op = {id(op) for op in claimed.values()}
    for op in ops:
        if op.model in lines and id(op) not in by_op and (op.done or op.refused):
            found += _unexplained(op, lines[op.model])
    return found


def _token_of(entry: Entry) -> str | None:
    body = entry.body
    match entry.action:
        case "nominated":
            return str(body["nomination"]["comment"]) or None
        case "requested":
            return str(body["proposal"]["comment"])
        case "approved" | "rejected":
            return str(body["approval"]["comment"])
        case "rolled-back":
            return str(body["review"]["reason"])
    return None


def _claims(ops: list[Op], entries: list[Entry], base: int, found: list[str]) -> dict[int, Op]:
    """Which call made which entry, as far as a token, a number in the answer or the version tells."""
    by_token = {op.token: op for op in ops}
    by_number = {int(op.answer["entry"]): op for op in ops if op.done and op.kind == "promote"}
    by_version = {(op.kind, op.model, op.version): op for op in ops if op.kind in ("register", "delete") and op.done}
    claimed: dict[int, Op] = {}
    for entry in entries:
        if entry.seq <= base or entry.body.get("via") == "mlflow":
            continue
        op = by_token.get(_token_of(entry) or "") or by_number.get(entry.seq)
        if op is None and entry.action in ("registered", "deleted"):
            kind = "register" if entry.action == "registered" else "delete"
            op = by_version.get((kind, entry.model or "", entry.version))
        if op is None:
            continue
        if op.refused:
            found.append(f"entry {entry.seq} was made by a call that was refused: {op}")
        if (WRITES.get(op.kind), op.model, op.user) != (entry.action, entry.model, entry.actor):
            found.append(f"entry {entry.seq} is {entry.action} of {entry.model} by {entry.actor}, not {op}")
        claimed[entry.seq] = op
    _each_once(ops, claimed, found)
    return claimed


def _each_once(ops: list[Op], claimed: dict[int, Op], found: list[str]) -> None:
    made: dict[int, list[int]] = defaultdict(list)
    for seq, op in claimed.items():
        made[id(op)].append(seq)
    for op in ops:
        numbers = made.get(id(op), [])
        if len(numbers) > 1:
            found.append(f"more than one entry, {numbers}, of {op}")
        if op.done and op.kind in WRITES and not numbers:
            found.append(f"acknowledged, and not in the ledger: {op}")
        named = op.answer.get("entry") if op.done and op.kind in WRITES else None
        if named is not None and numbers and numbers != [named]:
            found.append(f"the answer names entry {named}, the ledger has it as {numbers}: {op}")


def _bounds(claimed: dict[int, Op], entries: list[Entry]) -> tuple[dict[int, float], dict[int, float]]:
    """For each entry the earliest and the latest moment at which it can have been committed."""
    earliest, latest, moment = {}, {}, float("-inf")
    for entry in entries:
        op = claimed.get(entry.seq)
        moment = max(moment, op.begin) if op else moment
        earliest[entry.seq] = moment
    moment = float("inf")
    for entry in reversed(entries):
        op = claimed.get(entry.seq)
        moment = min(moment, op.end) if op else moment
        latest[entry.seq] = moment
    return earliest, latest


def _claim_the_rest(
    ops: list[Op],
    entries: list[Entry],
    base: int,
    claimed: dict[int, Op],
    bounds: tuple[dict[int, float], dict[int, float]],
) -> None:
    """MLflow's own calls carry no token, nor do some of those in doubt: an entry goes to the one over first."""
    earliest, latest = bounds
    taken = {id(op) for op in claimed.values()}
    waiting = defaultdict(list)
    for op in ops:
        if (op.kind in NATIVE and not op.refused) or (op.kind in WRITES and op.status == 0 and id(op) not in taken):
            waiting[op.model, op.user].append(op)
    for entry in entries:
        if entry.seq <= base or entry.seq in claimed:
            continue
        fitting = [
            op
            for op in waiting[entry.model or "", entry.actor]
            if _fits(op, entry) and op.begin <= latest[entry.seq] and op.end >= earliest[entry.seq]
        ]
        if fitting:
            claimed[entry.seq] = op = min(fitting, key=lambda o: (o.end, o.begin))
            waiting[entry.model or "", entry.actor].remove(op)


def _fits(op: Op, entry: Entry) -> bool:
    if op.kind in NATIVE:
        return (entry.action in NATIVE[op.kind], entry.version, entry.body.get("via")) == (True, op.version, "mlflow")
    if op.kind not in ("promote", "register", "delete"):  # the others have a token
        return False
    right = WRITES[op.kind] == entry.action and entry.body.get("via") != "mlflow"
    return right and (op.kind == "register" or op.version == entry.version)


def _out_of_order(claimed: dict[int, Op], entries: list[Entry]) -> list[str]:
    """Calls that were answered before another began, and stand behind it in the ledger."""
    found, newest = [], None
    for entry in entries:
        op = claimed.get(entry.seq)
        if op is None:
            continue
        if newest is not None and op.end < newest.begin:
            found.append(f"entry {entry.seq} stands behind one of a call that began when it was over: {op}; {newest}")
        newest = op if newest is None or op.begin > newest.begin else newest
    return found


def _lines(
    entries: list[Entry], base: int, earliest: dict[int, float], latest: dict[int, float], found: list[str]
) -> dict[str, Line]:
    lines: dict[str, Line] = {}
    broken: set[str] = set()
    for entry in entries:
        if entry.model is None or entry.model in broken:
            continue
        line = lines.setdefault(entry.model, Line([], [ModelState(model=entry.model)], [frozenset()]))
        try:
            state = rules.fold(line.states[-1], entry)
        except (RegistryError, KeyError, ValueError) as error:
            found.append(f"entry {entry.seq} is not possible where it stands: {error}")
            broken.add(entry.model)
            continue
        if entry.action == "files-checked" and entry.seq > base and not _is_awaited(entry, line.states[-1]):
            found.append(f"entry {entry.seq} is of a check that nobody awaited: {entry.model} {entry.version}")
        before, after = line.states[-1].pair, state.pair
        for name, pair in (("before", before), ("after", after)):
            if name in entry.body and Pair.model_validate(entry.body[name]) != pair:
                found.append(f"entry {entry.seq} says {name} {entry.body[name]}, the fold says {pair}")
        versions = line.alive[-1]
        if entry.action == "registered" and entry.version is not None:
            versions = versions | {entry.version}
        elif entry.action == "deleted":
            versions = versions - {entry.version}  # type: ignore[arg-type]
        line.entries.append(entry)
        line.states.append(state)
        line.alive.append(versions)
        line.earliest.append(earliest[entry.seq] if entry.seq > base else float("-inf"))
        line.latest.append(latest[entry.seq] if entry.seq > base else float("-inf"))
    return lines


def _is_awaited(entry: Entry, state: ModelState) -> bool:
    """Whether a rollback did not wait for its check of files, so that the server itself writes down what it found."""
    awaited = state.file_check
    if awaited is None or awaited.differences is not None:
        return False
    return (entry.actor, entry.version) == (SYSTEM.name, awaited.version)


def _wrong_answer(op: Op, line: Line, place: int) -> list[str]:
    """Where an acknowledged write's answer is not what its entry made of the state."""
    before, after, answer = line.states[place], line.states[place + 1], op.answer
    said: dict[str, tuple[object, object]] = {}
    if op.kind in ("promote", "rollback"):
        said["before"] = (answer["before"], before.pair.as_json())
        said["after"] = (answer["after"], after.pair.as_json())
    elif op.kind == "nominate":
        said["pair"] = (answer["pair"], after.pair.as_json())
    elif op.kind == "request":
        said["champion"] = (answer["expected_champion"], before.pair.champion)
        said["number"] = (answer["id"], f"P-{line.entries[place].seq}")
    elif op.kind in ("approve", "reject"):
        signed = after.proposals.get(answer["id"])
        said["approvals"] = (answer["approvals"], [a.as_json() for a in signed.approvals] if signed else None)
    if op.kind == "rollback" and op.expected is not None:
        said["expected"] = (op.expected, before.pair.champion)
    return [f"{name} was answered as {told}, the ledger says {is_so}: {op}"
            for name, (told, is_so) in said.items() if told != is_so]  # fmt: skip


def _unexplained(op: Op, line: Line) -> list[str]:
    """A read, a refusal or a call without an entry, when no state of its time explains it."""
    if op.done and op.kind in WRITES:
        return []  # told already: it has no entry
    explains = _READS.get(op.kind) if op.done else _REFUSALS.get(op.kind)
    if explains is None:
        return []
    window = line.between(op.begin, op.end)
    if any(explains(op, line.states[place], line.alive[place]) for place in window):
        return []
    pairs = [f"{line.states[place].pair}" for place in window]
    return [f"no state of its time explains {op}; the pairs then were {' | '.join(pairs)}"]


Explains = Callable[[Op, ModelState, frozenset[int]], bool]


def _as_status(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    (told,) = op.answer["models"]
    signed = {p["id"]: [a["comment"] for a in p["approvals"]] for p in told["proposals"]}
    return (
        told["pair"] == state.pair.as_json()
        and told["condemned"] == sorted(state.condemned)
        and signed == {i: [a.comment for a in p.approvals] for i, p in state.proposals.items()}
        and len(told["reviews"]) == len(state.reviews)
        and not told["meddled"]
    )


def _as_aliases(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    told = {a["alias"]: int(a["version"]) for a in op.answer["registered_model"].get("aliases", [])}
    return told == {role: v for role, v in state.pair.as_json().items() if v is not None}


def _is_champion(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    return state.pair.champion == op.version


def _in_no_stage(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    return op.version in alive and op.version not in (state.pair.champion, state.pair.challenger)


def _no_nomination(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    # Evidence is not made anew in these histories: who was condemned stays so until promoted again. All versions of a
    # model are of one run, so that the bytes of one that was rolled back from are those of every other.
    condemned = op.version in state.condemned or bool(state.condemned_files)
    return op.version not in alive or op.version == state.pair.champion or condemned


def _no_request(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    version = op.version or 0
    return bool(rules.may_promote(state, version)) or state.open_proposal(version) is not None or version not in alive


def _no_signature(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    proposals = [p for p in state.proposals.values() if p.version == op.version]
    if len(proposals) != 1:
        return True
    (proposal,) = proposals
    signed = {a.actor for a in proposal.approvals}
    return op.user in signed or proposal.rejected_by is not None or _void(proposal, state)


def _void(proposal: Any, state: ModelState) -> bool:
    nomination = state.nominations.get(proposal.version)
    changed = nomination is None or nomination.evidence != proposal.evidence
    return changed or proposal.expected_champion != state.pair.champion


def _no_promotion(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    version = op.version or 0
    proposal = state.open_proposal(version)
    if rules.may_promote(state, version) or proposal is None or version not in alive:
        return True
    return len({a.actor for a in proposal.approvals if a.decision == "yes"}) < 2 or _void(proposal, state)


def _no_rollback(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    # As if the last rollback were just now: a refusal for that is never held against the clock here.
    now = state.reviews[-1].opened_at if state.reviews else None
    twice = now is not None and bool(rules.meant_twice(state, now, op.expected, op.to))
    changed = op.expected is not None and op.expected != state.pair.champion
    return bool(rules.may_roll_back(state, op.to)) or twice or changed


def _no_native_champion(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    return op.version not in alive or (op.version != state.pair.fallback and _no_promotion(op, state, alive))


def _no_deletion(op: Op, state: ModelState, alive: frozenset[int]) -> bool:
    return op.version not in alive or op.version in state.pair.as_json().values()


_READS: dict[str, Explains] = {
    "status": _as_status, "aliases": _as_aliases, "champion": _is_champion, "production": _is_champion,
    "challenger": lambda op, state, alive: False, "staging": lambda op, state, alive: False, "archive": _in_no_stage,
}  # fmt: skip
_REFUSALS: dict[str, Explains] = {
    "nominate": _no_nomination, "challenger": _no_nomination, "staging": _no_nomination, "request": _no_request,
    "approve": _no_signature, "reject": _no_signature, "promote": _no_promotion, "rollback": _no_rollback,
    "champion": _no_native_champion, "production": _no_native_champion, "delete": _no_deletion,
    "archive": lambda op, state, alive: not _in_no_stage(op, state, alive),
}  # fmt: skip
