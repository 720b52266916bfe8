"""What `policy new` writes: a sound policy in which every key stands, with its default and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from registry_hooks.cli import main
from registry_hooks.cli.commands.policy import template
from registry_hooks.cli.failures import DONE, USAGE
from registry_hooks.rules.policy import Policy, PolicyPart
from registry_hooks.rules.policy_file import load_policy

KEY = re.compile(r"^ *(?:#: )?(?:- )?([a-z_]+):")
FULL = template().replace("#: ", "")


def parts(part: PolicyPart) -> Iterator[PolicyPart]:
    """``part`` and every mapping within it."""
    yield part
    for name in type(part).model_fields:
        value = getattr(part, name)
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,):
            if isinstance(each, PolicyPart):
                yield from parts(each)


def written(policy: Policy) -> dict[type[PolicyPart], PolicyPart]:
    """Of each kind of mapping the one that says most."""
    return {type(each): each for each in sorted(parts(policy), key=lambda each: len(each.model_fields_set))}


def kinds(part: type[PolicyPart] = PolicyPart) -> Iterator[type[PolicyPart]]:
    for each in part.__subclasses__():
        yield each
        yield from kinds(each)


def test_the_template_is_a_sound_policy_as_it_stands_and_with_every_key_written_out():
    assert load_policy(template()).models == load_policy(FULL).models == ("my-model",)


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda kind: kind.__name__))
def test_every_key_of_the_policy_stands_in_the_template_with_its_default(kind: type[PolicyPart]):
    said = written(load_policy(FULL))[kind]
    assert said.model_fields_set == set(kind.model_fields)
    optional = {name: field.default for name, field in kind.model_fields.items() if not field.is_required()}
    defaults = {name: value for name, value in optional.items() if value not in (None, ())}  # else an example stands
    assert {name: getattr(said, name) for name in defaults} == defaults


def test_what_may_be_left_out_is_commented_out_and_nothing_else_is():
    short = load_policy(template())
    for kind, part in written(short).items():
        required = {name for name, field in kind.model_fields.items() if field.is_required()}
        assert part.model_fields_set - {"users"} == required, kind  # a role needs members, of either sort


def test_every_key_has_a_sentence_that_says_its_default():
    comment, known = "", {field.alias or name for kind in kinds() for name, field in kind.model_fields.items()}
    told = set()
    for line in template().splitlines():
        text = line.strip()
        if text.startswith("#") and not text.startswith("#: "):
            comment += text
            continue
        found = KEY.match(line)
        if found and found[1] in known and re.search(r"Required|Default: ", comment):
            told.add(found[1])
        comment = ""
    assert told == known


def test_policy_new_writes_it_and_never_over_another_file(tmp_path: Path):
    file = tmp_path / "policy.yaml"
    done = CliRunner().invoke(main, ["policy", "new", str(file)])
    assert done.exit_code == DONE, done.output
    assert file.read_text() == template() and f"policy check {file}" in done.output
    file.write_text("mine")
    again = CliRunner().invoke(main, ["policy", "new", str(file)])
    assert again.exit_code == USAGE and file.read_text() == "mine" and "exists" in again.output
    assert CliRunner().invoke(main, ["policy", "check", str(file)]).exit_code == USAGE


def test_policy_new_says_where_it_cannot_write(tmp_path: Path):
    done = CliRunner().invoke(main, ["policy", "new", str(tmp_path / "none" / "policy.yaml"), "--json"])
    assert done.exit_code == USAGE and "No such file" in done.output


def test_a_kind_that_nothing_writes_yet_is_warned_about(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(template().replace("kind: drift", "kind: drifts"), encoding="utf-8")
    told = CliRunner().invoke(main, ["policy", "check", str(file)])
    assert told.exit_code == DONE and "Warning: promote.evidence: no evaluator" in told.output
    assert "did you mean 'drift'?" in told.output
