"""Every public method of MLflow's registry store, and what governance does with it: one literal table.

- ``read``: changes nothing.
- ``pass``: changes what governance does not speak of (descriptions, webhooks, prompt links).
- ``gate``: may change a role, a stage, or what a role points to; ``GovernedStore`` overrides it and asks the desk.
- ``through``: is built by MLflow out of other methods of this table, and so meets their gates.

A method that a new MLflow adds and this table lacks stops the server at start, by name: what is unknown is not let by.
"""

from __future__ import annotations

from typing import Literal

from registry_hooks.errors import RegistryError

Handling = Literal["read", "pass", "gate", "through"]
MEND = "Use an MLflow that setup.cfg admits, or a newer registry-hooks"

CLOSURE: dict[str, Handling] = {
    "create_registered_model": "gate",
    "update_registered_model": "pass",
    "rename_registered_model": "gate",
    "delete_registered_model": "gate",
    "search_registered_models": "read",
    "get_registered_model": "read",
    "get_latest_versions": "read",
    "set_registered_model_tag": "gate",
    "delete_registered_model_tag": "gate",
    "create_model_version": "gate",
    "update_model_version": "pass",
    "transition_model_version_stage": "gate",
    "delete_model_version": "gate",
    "get_model_version": "read",
    "get_model_version_download_uri": "read",
    "search_model_versions": "read",
    "set_model_version_tag": "gate",
    "delete_model_version_tag": "gate",
    "set_registered_model_alias": "gate",
    "delete_registered_model_alias": "gate",
    "get_model_version_by_alias": "read",
    "copy_model_version": "through",
    "create_prompt": "through",
    "search_prompts": "read",
    "delete_prompt": "through",
    "set_prompt_tag": "through",
    "delete_prompt_tag": "through",
    "get_prompt": "read",
    "create_prompt_version": "through",
    "get_prompt_version": "read",
    "delete_prompt_version": "through",
    "get_prompt_version_by_alias": "read",
    "set_prompt_alias": "through",
    "delete_prompt_alias": "through",
    "search_prompt_versions": "read",
    "link_prompts_to_trace": "pass",
    "set_prompt_version_tag": "through",
    "delete_prompt_version_tag": "through",
    "link_prompt_version_to_model": "pass",
    "link_prompt_version_to_run": "pass",
    "create_webhook": "gate",
    "get_webhook": "read",
    "list_webhooks": "read",
    "list_webhooks_by_event": "read",
    "update_webhook": "pass",
    "delete_webhook": "pass",
    "test_webhook": "pass",
    "supports_workspaces": "read",
}

SOME_RELEASES_ONLY: frozenset[str] = frozenset()
"""Methods of the table that not every release that setup.cfg admits has: 3.15, 3.16 and 3.17 have all."""


def public_names(store_class: type) -> set[str]:
    """Names of the public methods and properties that MLflow's store class has, inherited ones included."""
    return {
        name
        for name in dir(store_class)
        if not name.startswith("_") and (callable(getattr(store_class, name)) or name == "supports_workspaces")
    }


def check_closure(store_class: type, governed_class: type) -> None:
    """Hold the table against MLflow's store and ours.

    Raises:
        RegistryError: naming every method that the table lacks, every gate that our store does not override, and
            every method of the table that is gone: what it did goes another way now, perhaps past its gate.
    """
    names = public_names(store_class)
    unknown = sorted(names - set(CLOSURE))
    gone = sorted(set(CLOSURE) - names - SOME_RELEASES_ONLY)
    open_gates = sorted(
        name for name, kind in CLOSURE.items() if kind == "gate" and name not in vars(governed_class)
    )  # fmt: skip
    if unknown or open_gates:
        raise RegistryError(
            "this MLflow's model registry has methods that governance does not know, and does not let by: "
            f"{', '.join(unknown + open_gates)}. {MEND}"
        )
    if gone:
        raise RegistryError(f"this MLflow's model registry lacks methods that governance counts on: {gone}. {MEND}")
