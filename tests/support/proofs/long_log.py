"""A log with many entries in a registry of tests."""

from __future__ import annotations

from support.world import MODEL, World

from registry_hooks.identity import Actor

ADMIN = Actor("admin", "test", is_admin=True)


def lengthen(world: World, entries: int) -> None:
    """Write so many entries more."""
    for turn in range(entries):
        world.desk.keeping.account_change(ADMIN, "user-created", {"user": f"u{turn}"})


def some_log(world: World, entries: int) -> None:
    """A log with a promotion in it, and so many entries behind that."""
    world.govern()
    world.quickly(2)
    world.promote(1)
    with world.acting("ana"):
        world.desk.nominate(MODEL, 2)
    lengthen(world, entries)
