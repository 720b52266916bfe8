"""Which texts of entries can be taken out."""

from typing import get_args

from registry_hooks.records import AccountAction, Action
from registry_hooks.rules.log.redaction import _RECORDS

# Nobody writes a text of their own into these; a new action belongs here or among those that can be redacted.
WITHOUT_TEXTS = {
    *get_args(AccountAction), "policy-applied", "key-trusted", "delegation-ended", "adopted", "registered", "deleted",
    "promoted", "files-checked", "notify-added", "notify-removed",
} - {"account-undone"}  # fmt: skip


def test_every_action_is_known_to_have_texts_of_people_or_none():
    assert set(get_args(Action)) - set(_RECORDS) == WITHOUT_TEXTS
