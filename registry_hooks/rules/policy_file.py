"""Policies as YAML documents: read, and every fault told at once.

An unknown key, a role that nobody defined, a key given twice and a YAML alias are errors, each with what would fix it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import Any

import yaml
from pydantic import ValidationError
from rapidfuzz import process

from registry_hooks.errors import Invalid, Reason
from registry_hooks.rules.policy import Policy, PolicyPart, RoleMembers
from registry_hooks.rules.quorum import Seat, seated

DEEPEST = 32  # brackets within brackets; PyYAML's time grows with the square of the depth
LARGEST = 256 * 1024  # bytes of YAML; a policy is a page, not a data set
MOST_NODES = 10_000  # words, lists and mappings; PyYAML reads some 70,000 a second
MOST_SEATS = 100  # of a quorum
MOST_REASONS = 50
LONGEST_WORD = 64  # characters of what may be a number or a time; PyYAML's time grows with the square of a number's
# What PyYAML raises for text that is none: its own errors, and those of the tags that it takes on trust (!!int "").
_NOT_YAML = (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError, OverflowError)
_TEXT = "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    """SafeLoader of a page: in a time that grows with its length, and never into more than it says.

    Without aliases (a small document that unfolds into gigabytes), repeated keys, keys that are no text (numbers can be
    chosen so that a mapping of them takes long to make), deep brackets, and more nodes than a policy has use for.
    """

    nodes = 0

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= DEEPEST:
            mark = self.get_mark()
            raise yaml.scanner.ScannerError(None, None, f"brackets nested deeper than {DEEPEST}", mark)
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise _alias_error(event.start_mark)
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise yaml.composer.ComposerError(None, None, f"more than {MOST_NODES} words and lists", self.get_mark())
        return super().compose_node(parent, index)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and len(value) > LONGEST_WORD:
            return _TEXT
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def construct_scalar(self, node: Any) -> Any:
        if node.tag != _TEXT and isinstance(node.value, str) and len(node.value) > LONGEST_WORD:
            told = f"{node.tag} of more than {LONGEST_WORD} characters"
            raise yaml.constructor.ConstructorError(None, None, told, node.start_mark)
        return super().construct_scalar(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                told = f"expected a key that is text, found {str(key)[:80]}"
                raise yaml.constructor.ConstructorError(None, None, told, key_node.start_mark)
            if key in seen:
                told = f"key {key[:80]!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, told, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _alias_error(mark: Any) -> yaml.YAMLError:
    return yaml.composer.ComposerError(None, None, "YAML aliases (*name) are not accepted; write it out", mark)


def policy_digest(text: str) -> str:
    """``sha256:`` and the SHA-256 of the document's bytes, comments included: what was applied is what is named."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def load_policy(text: str) -> Policy:
    """Read a policy, in well under a second whatever the text is.

    Raises:
        Invalid: with a reason for each thing that is wrong (size, YAML, keys, values, undefined roles).
    """
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise _invalid(Reason("size", f"at most {LARGEST} bytes", f"{len(text)} characters", "shorten the policy"))
    try:
        document = yaml.load(text, Loader=_Loader)
    except _NOT_YAML as error:
        raise _invalid(Reason("yaml", "a YAML mapping", " ".join(str(error).split()), "correct the file")) from error
    if not isinstance(document, dict):
        raise _invalid(Reason("yaml", "a YAML mapping", type(document).__name__, "see examples/policy.yaml"))
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise _invalid(*_first(_reasons_of(error))) from error
    if undefined := _first(_undefined(policy)):
        raise _invalid(*undefined)
    if unreachable := _unreachable(policy):
        raise _invalid(*_first(unreachable))
    return policy


def _first(reasons: Iterable[Reason]) -> list[Reason]:
    """The first few mistakes. A hostile document can have more mistakes than fit into memory."""
    return list(islice(reasons, MOST_REASONS))


def _undefined(policy: Policy) -> Iterator[Reason]:
    known = list(policy.roles)
    defined = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    for place, role in policy.named_roles():
        if role not in policy.roles:
            mend = _did_you_mean(role, known) or f"define {role!r} under roles:"
            yield Reason("unknown-role", f"a role defined under roles: ({defined})", f"{role!r} at {place}", mend)


def _unreachable(policy: Policy) -> list[Reason]:
    """A reason for each role of the quorum that too few people hold, were all of them to sign."""
    asked = sum(item.count for item in policy.promote.approvals)
    if asked > MOST_SEATS:
        return [Reason("quorum", f"at most {MOST_SEATS} approvals", f"{asked}", "ask for fewer")]
    wanted = [item for item in policy.promote.approvals if not policy.roles[item.role].mlflow_roles]
    seats = [Seat(item.role, number) for item in wanted for number in range(item.count)]
    held: dict[str, set[str]] = {}
    for item in wanted:
        for user in policy.roles[item.role].users:
            held.setdefault(user, set()).add(item.role)
    filled = seated(seats, {user: frozenset(roles) for user, roles in held.items()})
    have = {item.role: sum(seat.role == item.role for seat in filled) for item in wanted}
    return [
        Reason(
            "quorum",
            f"at least {item.count} holders of {item.role!r}, each of whom fills one seat of the quorum",
            f"{have[item.role]} users",
            f"name more users under roles.{item.role}, or ask for fewer",
        )
        for item in wanted
        if have[item.role] < item.count
    ]


def _invalid(*reasons: Reason) -> Invalid:
    return Invalid("the policy cannot be used", reasons)


def _did_you_mean(word: str, known: list[str]) -> str:
    match = process.extractOne(word[:80], known, score_cutoff=60)
    return f"did you mean {match[0]!r}?" if match else ""


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Policy
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, PolicyPart) else None
        if field is None:
            model = RoleMembers
            continue
        inner = getattr(field.annotation, "__args__", (field.annotation,))
        model = next((t for t in inner if isinstance(t, type) and issubclass(t, PolicyPart)), field.annotation)
    fields = model.model_fields.items() if isinstance(model, type) and issubclass(model, PolicyPart) else ()
    return [field.alias or name for name, field in fields]


def _reasons_of(error: ValidationError) -> Iterator[Reason]:
    for item in error.errors(include_url=False):
        if item["type"] == "too_short" and item["input"]:
            continue  # pydantic counts only the items that are right; the wrong ones have errors of their own
        place = ".".join(str(part)[:80] for part in item["loc"]) or "the document"
        if item["type"] == "extra_forbidden":
            keys = _keys_at(item["loc"][:-1])
            mend = _did_you_mean(str(item["loc"][-1]), keys) or "remove it"
            yield Reason("unknown-key", f"one of {', '.join(keys)}", f"{place}", mend)
        elif item["type"] == "missing":
            yield Reason("missing-key", f"{place}", "nothing", f"add {place}; see examples/policy.yaml")
        else:
            found = repr(item["input"])[:80]
            yield Reason("value", f"{place}: {item['msg'][:400]}", found, f"correct {place}")
