"""`lawful cases parties`: who has to do with a case, and how they can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console

from api.cli.case_shown import Json, Number, case_stores, do
from api.cli.common import plain, print_json
from attribution.cases import PartyRole
from attribution.errors import NotFound

if TYPE_CHECKING:
    from attribution.collection import Stores

app = typer.Typer(help="Parties of cases, and how they can be reached.", no_args_is_help=True)
Party = Annotated[int, typer.Argument(help="Number of a party, as `lawful cases show` shows it.")]


@app.command()
def add(
    case: Number,
    role: Annotated[PartyRole, typer.Argument(help="What they have to do with the case.")],
    artist: Annotated[str | None, typer.Option(help="Slug of a registered artist.")] = None,
    name: Annotated[str | None, typer.Option(help="Of anybody else.")] = None,
    account: Annotated[
        str | None,
        typer.Option(help="Who this is among the users; they judge nothing in this case."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Name somebody who has to do with a case.

    Example: [bold]lawful cases parties add 12 respondent --name "A web shop"[/]
    """
    from attribution.desk import opening

    party = opening.NewParty(role, artist, name, account)
    do(case, lambda stores, one: opening.add_party(stores, one, party), as_json=as_json)


@app.command()
def remove(
    case: Number,
    party: Party,
    why: Annotated[str, typer.Option(help="Kept as a comment.")],
    *,
    as_json: Json = False,
) -> None:
    """Take somebody who was named by mistake out of a case; the parties after them move up.

    Example: [bold]lawful cases parties remove 12 2 --why "named by mistake"[/]
    """
    from attribution.desk import opening

    def go(stores: Stores, case_id: UUID) -> None:
        opening.remove_party(stores, case_id, _party(stores, case_id, party), why)

    do(case, go, as_json=as_json)


@app.command()
def contacts(case: Number, *, as_json: Json = False) -> None:
    """Show how the parties of a case can be reached; the audit says who has seen it.

    Example: [bold]lawful cases parties contacts 12[/]
    """
    from api.cases import ContactOut
    from attribution.catalogue.queries import desk
    from attribution.desk.contacts import see_contacts

    with case_stores() as stores:
        with stores.sessions() as session:
            case_id = desk.case_by_number(session, case).id
            numbers = {one.id: n for n, one in enumerate(desk.parties_of(session, case_id), 1)}
        rows = see_contacts(stores, case_id)
    out = Console(soft_wrap=True)
    for row in rows:
        if as_json:
            print_json(ContactOut.of(row).model_dump(mode="json"))
            continue
        text = f"party {numbers[row.party_id]}, until {row.until:%Y-%m-%d}: {row.text}"
        out.print(plain(text), markup=False, highlight=False)
    if not (rows or as_json):
        out.print("no contact is kept")


@app.command()
def reach(
    case: Number,
    party: Party,
    text: Annotated[str, typer.Argument(help="How they can be reached.")],
    *,
    as_json: Json = False,
) -> None:
    """Keep how a party can be reached, for a year unless set otherwise.

    Example: [bold]lawful cases parties reach 12 2 "Ms Example, mail@shop.example"[/]
    """
    from attribution.desk.contacts import keep_contact

    def keep(stores: Stores, case_id: UUID) -> None:
        keep_contact(stores, case_id, _party(stores, case_id, party), text)

    do(case, keep, as_json=as_json)


@app.command()
def forget(case: Number, party: Party, *, as_json: Json = False) -> None:
    """Delete how a party can be reached; the party stays.

    Example: [bold]lawful cases parties forget 12 2[/]
    """
    from attribution.desk.contacts import forget_contact

    def go(stores: Stores, case_id: UUID) -> None:
        forget_contact(stores, case_id, _party(stores, case_id, party))

    do(case, go, as_json=as_json)


def _party(stores: Stores, case_id: UUID, number: int) -> UUID:
    from attribution.catalogue.queries import desk

    with stores.sessions() as session:
        parties = desk.parties_of(session, case_id)
    if not 1 <= number <= len(parties):
        raise NotFound(f"the case has no party {number}; it has {len(parties)}")
    return parties[number - 1].id
