"""A collection that takes the place of another: filled next to it, then found under its name.

It is called like the other with `-a` or `-b` behind the name, whichever is free; the name itself
becomes an alias, so that every process finds the new collection with its next request. Parts of
works are replaced together with their works.
"""

from __future__ import annotations

from collections.abc import Mapping

from qdrant_client import models

from attribution.index.engine import Engine

SLOTS = ("-a", "-b")


def parts_of(collection: str) -> str:
    """Return what the collection of the parts of works is called."""
    return f"{collection}-parts"


def begin(engine: Engine, collection: str) -> str:
    """Return the name for a collection next to this one, which does not exist yet.

    What a process that was killed has left under that name is deleted.
    """
    first, second = (collection + slot for slot in SLOTS)
    beside = second if _means(engine, collection) == first else first
    drop(engine, beside)
    return beside


def put_in_place(engine: Engine, collection: str, new: str) -> None:
    """Have `collection` mean `new` from now on, with every other alias, and delete what it meant.

    One step, but for a collection that was never replaced before: a server lets no alias have its
    name, so it is deleted first, and who asks in between is told that it is not there.
    """
    aliases = _aliases(engine)
    old = aliases.get(collection, collection)
    if old == new:
        return
    moved = {alias: new for alias, meant in aliases.items() if meant == old} | {collection: new}
    if engine.collection_exists(parts_of(new)):
        moved[parts_of(collection)] = parts_of(new)
    if old == collection:
        drop(engine, old)
    point_to(engine, moved)
    if old != collection:
        drop(engine, old)


def adopt(engine: Engine, collection: str) -> bool:
    """Have a name that means nothing mean the collection next to it; whether there is one.

    A process was killed between two steps of `put_in_place`, or the aliases were lost.
    """
    slots = (collection + slot for slot in SLOTS)
    new = next(filter(engine.collection_exists, slots), None)
    if new is None:
        return False
    put_in_place(engine, collection, new)
    return True


def forget_unfinished(engine: Engine, collection: str) -> None:
    """Delete what was begun next to a collection and never finished; nobody else may be at it."""
    meant = _means(engine, collection)
    for slot in SLOTS:
        if collection + slot != meant:
            drop(engine, collection + slot)


def drop(engine: Engine, collection: str) -> None:
    """Delete what a name means, with its parts and the aliases that mean them."""
    aliases = _aliases(engine)
    for name in (parts_of(collection), collection):
        if engine.collection_exists(name):
            engine.delete_collection(aliases.get(name, name))


def point_to(engine: Engine, meant: Mapping[str, str]) -> None:
    """Have names mean collections from now on, whatever they meant before, in one step."""
    changes: list[models.DeleteAliasOperation | models.CreateAliasOperation] = []
    for alias, name in meant.items():
        changes += [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
            ),
        ]
    engine.update_collection_aliases(changes)


def _means(engine: Engine, name: str) -> str:
    return _aliases(engine).get(name, name)


def _aliases(engine: Engine) -> dict[str, str]:
    return {one.alias_name: one.collection_name for one in engine.get_aliases().aliases}
