"""One question to the desk, as the JSON API and the pages ask it: its fields, permissions, the password once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from registry_hooks.app.api.bodies import check
from registry_hooks.app.api.routes import PASSWORD, ROUTES, Route
from registry_hooks.app.api.turns import Turns
from registry_hooks.app.governed import governed_desk
from registry_hooks.app.people import actors
from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import Actor, current_sight, require_actor

_TURNS = Turns()
_BY_ANSWER = {route.answers: route for route in ROUTES}


def ask(answers: str, values: Mapping[str, object]) -> Any:
    """What the desk answers to the route whose answer has that name, asked by the current Actor.

    Raises:
        RegistryError: as the desk's method, and for fields, permissions and a password that are not as they should be.
    """
    return ask_route(_BY_ANSWER[answers], lambda: values, getattr(governed_desk(), answers))


def ask_route(route: Route, values: Callable[[], Mapping[str, object]], answers: Callable[..., Any]) -> Any:
    """As `ask`, with what ``answers`` in place of the desk's method. ``values`` are read once it is known who asks."""
    actor = require_actor()
    with _TURNS.taken(actor.name) if route.long else nullcontext():
        if route.admin_only and not actor.is_admin:
            found = f"{actor.name}, who is not one"
            raise Refused(
                f"only an administrator may {route.path.replace('/', ' ')}",
                [Reason("administrator", "an administrator of this server", found, "ask an administrator")],
            )
        arguments = check(route.body, values())
        _require_read(route, actor, arguments.get("model"))
        return _as_reauthenticated(actor, arguments, answers)


def _as_reauthenticated(actor: Actor, arguments: dict[str, Any], answers: Callable[..., Any]) -> Any:
    """The answer, to an Actor who has proved the password once more where one was sent."""
    password = arguments.pop(PASSWORD, None)
    if password is None:
        return answers(**arguments)
    with actors.acting(actors.reauthenticated(actor, password)):
        return answers(**arguments)


def _require_read(route: Route, actor: Actor, model: str | None) -> None:
    """Refuse an Actor whom MLflow does not let READ what the route is about.

    Raises:
        Refused: naming the permission.
    """
    if route.reads == "nothing":
        return
    sight = current_sight()
    if sight.everything() if route.reads == "everything" else (model is None or sight.model(model)):
        return
    everything = "READ on every registered model and every experiment, without an exception"
    expected = everything if route.reads == "everything" else f"READ on the registered model {model!r}"
    reason = Reason("mlflow-permission", expected, f"{actor.name} does not have it", "ask an administrator to grant it")
    raise Refused("permission denied", [reason])
