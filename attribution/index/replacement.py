"""A collection that takes the place of another: filled next to it, then found under its name.

It is called like the other with `-a` or `-b` behind the name, whichever is free; the name itself
becomes an alias, so that every process finds the new collection with its next request. Parts of
works are replaced together with their works.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdrant_client import models

SLOTS = ("-a", "-b")


def parts_of(collection: str) -> str:
    """Return what the collection of the parts of works is called."""
    return f"{collection}-parts"


def begin(client: Any, collection: str) -> str:
    """Return the name for a collection next to this one, which does not exist yet.

    What a process that was killed has left under that name is deleted.
    """
    first, second = (collection + slot for slot in SLOTS)
    beside = second if _means(client, collection) == first else first
    drop(client, beside)
    return beside


def put_in_place(client: Any, collection: str, new: str) -> None:
    """Have `collection` mean `new` from now on, with every other alias, and delete what it meant.

    One step, but for a collection that was never replaced before: a server lets no alias have its
    name, so it is deleted first, and who asks in between is told that it is not there.
    """
    aliases = _aliases(client)
    old = aliases.get(collection, collection)
    if old == new:
        return
    moved = {alias: new for alias, meant in aliases.items() if meant == old} | {collection: new}
    if client.collection_exists(parts_of(new)):
        moved[parts_of(collection)] = parts_of(new)
    if old == collection:
        drop(client, old)
    point_to(client, moved)
    if old != collection:
        drop(client, old)


def adopt(client: Any, collection: str) -> bool:
    """Have a name that means nothing mean the collection next to it; whether there is one.

    A process was killed between two steps of `put_in_place`, or the aliases were lost.
    """
    slots = (collection + slot for slot in SLOTS)
    new = next(filter(client.collection_exists, slots), None)
    if new is None:
        return False
    put_in_place(client, collection, new)
    return True


def forget_unfinished(client: Any, collection: str) -> None:
    """Delete what was begun next to a collection and never finished; nobody else may be at it."""
    meant = _means(client, collection)
    for slot in SLOTS:
        if collection + slot != meant:
            drop(client, collection + slot)


def drop(client: Any, collection: str) -> None:
    """Delete what a name means, with its parts and the aliases that mean them."""
    aliases = _aliases(client)
    for name in (parts_of(collection), collection):
        if client.collection_exists(name):
            client.delete_collection(aliases.get(name, name))


def point_to(client: Any, meant: Mapping[str, str]) -> None:
    """Have names mean collections from now on, whatever they meant before, in one step."""
    changes: list[models.DeleteAliasOperation | models.CreateAliasOperation] = []
    for alias, name in meant.items():
        changes += [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
            ),
        ]
    client.update_collection_aliases(changes)


def _means(client: Any, name: str) -> str:
    return _aliases(client).get(name, name)


def _aliases(client: Any) -> dict[str, str]:
    return {one.alias_name: one.collection_name for one in client.get_aliases().aliases}
