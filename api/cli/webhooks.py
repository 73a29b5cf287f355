"""`lawful webhooks`: who is told what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import plain, print_json, settings_from_environment, status_console
from attribution.events import After, DeliveryStatus, Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from attribution.catalogue.models import Delivery, Webhook
    from attribution.collection import Stores

app = typer.Typer(
    help="Who is told what happened: create, list, test, end; deliveries.", no_args_is_help=True
)
Id = Annotated[UUID, typer.Argument(metavar="ID", help="Id of a webhook.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object each.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="How many to show.")]


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where events are sent: https://…")],
    event: Annotated[
        list[Event] | None, typer.Option(help="Tell this (repeatable); without it, everything.")
    ] = None,
    artist: Annotated[
        list[str] | None,
        typer.Option(help="Tell of copies of this artist's works only (slug; repeatable)."),
    ] = None,
    *,
    after: Annotated[
        After,
        typer.Option(
            help="Tell of copies when people have decided so in a case, or once they are found."
        ),
    ] = After.REVIEW,
    as_json: Json = False,
) -> None:
    """Have an address told of events, and print the secret by which it checks signatures, once.

    Deliveries are signed as Standard Webhooks are, and tried again for three days.

    Example: [bold]lawful webhooks create https://hooks.example.org --event job.ended[/]
    """
    from api.webhooks import MadeWebhookOut
    from attribution.collection import open_stores
    from attribution.upkeep import webhooks

    new = webhooks.NewWebhook(url, event or webhooks.ASKED, artist or (), after)
    with open_stores(settings_from_environment()) as stores:
        row = webhooks.create(stores, new)
    if as_json:
        print_json(MadeWebhookOut.of_made(row).model_dump(mode="json"))
        return
    status_console().print(_webhooks([row]))
    status_console().print("Its secret, shown only this once:", markup=False)
    print(row.secret)  # noqa: T201  a script reads stdout


@app.command("list")
def list_webhooks(limit: Limit = 100, *, as_json: Json = False) -> None:
    """List webhooks, newest first; those that ended stay in the list.

    Example: [bold]lawful webhooks list[/]
    """
    from api.webhooks import WebhookOut
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        rows = queries.list_webhooks(session, limit=limit).items
    if as_json:
        for row in rows:
            print_json(WebhookOut.of(row).model_dump(mode="json"))
    elif rows:
        Console().print(_webhooks(rows))
    else:
        Console(soft_wrap=True).print(
            "no webhooks; `lawful webhooks create URL` makes one", markup=False
        )


@app.command()
def end(webhook: Id, *, as_json: Json = False) -> None:
    """Tell a webhook nothing any more, nor what still waits for it.

    Example: [bold]lawful webhooks end 0b1c2d3e-0000-4000-8000-000000000000[/]
    """
    from api.webhooks import WebhookOut
    from attribution.collection import open_stores
    from attribution.upkeep import webhooks

    with open_stores(settings_from_environment()) as stores:
        row = webhooks.end(stores, webhook)
    if as_json:
        print_json(WebhookOut.of(row).model_dump(mode="json"))
    else:
        Console(soft_wrap=True).print(plain(f"ended: {row.url}"), markup=False)


@app.command("test")
def try_out(webhook: Id, *, as_json: Json = False) -> None:
    """Tell a webhook that nothing happened, now, and say whether that arrived.

    Example: [bold]lawful webhooks test 0b1c2d3e-0000-4000-8000-000000000000[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep import deliveries, webhooks

    with open_stores(settings_from_environment()) as stores:
        made = webhooks.try_out(stores, webhook)
        with status_console().status("sending"):
            deliveries.deliver(stores, deliveries.Sender.of(stores.settings))
        _show(stores, made.id, as_json=as_json)


@app.command("deliveries")
def list_deliveries(
    webhook: Annotated[UUID | None, typer.Option(help="Of this webhook (id).")] = None,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Those that stand so.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List what was told to webhooks in the last 30 days, newest first.

    Example: [bold]lawful webhooks deliveries --status given_up[/]
    """
    from api.webhooks import DeliveryOut
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        chosen = queries.webhook_by_id(session, webhook).id if webhook else None
        rows = queries.list_deliveries(session, webhook_id=chosen, status=status, limit=limit).items
    if as_json:
        for row in rows:
            print_json(DeliveryOut.of(row).model_dump(mode="json"))
    else:
        Console().print(_deliveries(rows))


@app.command()
def replay(
    delivery: Annotated[UUID, typer.Argument(metavar="ID", help="Id of a delivery.")],
    *,
    as_json: Json = False,
) -> None:
    """Send a delivery again under the same id, now, and say whether that arrived.

    Example: [bold]lawful webhooks replay 0b1c2d3e-0000-4000-8000-000000000000[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep import deliveries, webhooks

    with open_stores(settings_from_environment()) as stores:
        webhooks.replay(stores, delivery)
        with status_console().status("sending"):
            deliveries.deliver(stores, deliveries.Sender.of(stores.settings))
        _show(stores, delivery, as_json=as_json)


def _show(stores: Stores, delivery_id: UUID, *, as_json: bool) -> None:
    from api.webhooks import DeliveryOut
    from attribution.catalogue import queries

    with stores.sessions() as session:
        row = queries.delivery_by_id(session, delivery_id)
    if as_json:
        print_json(DeliveryOut.of(row).model_dump(mode="json"))
    else:
        Console().print(_deliveries([row]))


def _webhooks(rows: Sequence[Webhook]) -> Table:
    return _table(
        (
            row.id,
            row.url,
            f"{', '.join(row.events)}; artists: {', '.join(row.artists) or 'all'}; "
            f"copies after: {row.after}; "
            f"since {row.created_at:%Y-%m-%d}"
            + (f", ended {row.ended_at:%Y-%m-%d}" if row.ended_at else ""),
        )
        for row in rows
    )


def _deliveries(rows: Sequence[Delivery]) -> Table:
    return _table(
        (
            row.id,
            f"{row.event}, {row.created_at:%Y-%m-%d %H:%M:%S}",
            f"{row.status}, attempts: {row.attempts}; {row.error or row.answered or 'not sent'}",
        )
        for row in rows
    )


def _table(rows: Iterable[tuple[UUID, str, str]]) -> Table:
    """Show what people copy, the id, whole at every width, and the rest beside it."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one, name, said in rows:
        table.add_row(str(one), escape(plain(name)))
        table.add_row("", escape(plain(said)))
    return table
