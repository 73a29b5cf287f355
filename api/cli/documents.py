"""`lawful cases documents`: files that people send."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from api.cli.case_shown import Json, Number, Why, case_stores
from api.cli.common import check_writable, plain, print_json

if TYPE_CHECKING:
    from attribution.catalogue.models import CaseDocument

app = typer.Typer(help="Documents of cases: files that people send.", no_args_is_help=True)
Document = Annotated[
    int, typer.Argument(help="Number of a document, as `lawful cases documents list` shows it.")
]


@app.command()
def add(
    case: Number,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="A PDF, an image, a text in UTF-8 or an e-mail (.eml).",
        ),
    ],
    title: Annotated[
        str | None, typer.Option(help="What it is; without it, the name of the file.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Keep a file that somebody sent with a case, until some time after that is closed.

    Example: [bold]lawful cases documents add 12 answer.pdf --title "The shop's answer"[/]
    """
    from attribution.catalogue.queries import desk
    from attribution.desk import documents

    with case_stores() as stores:
        with stores.sessions() as session:
            case_id = desk.case_by_number(session, case).id
        with file.open("rb") as source:
            data = source.read(stores.limits.max_bytes + 1)
        _show(documents.add_document(stores, case_id, data, title or file.name), as_json=as_json)


@app.command("list")
def list_documents(case: Number, *, as_json: Json = False) -> None:
    """List the documents of a case, also those that were removed.

    Example: [bold]lawful cases documents list 12[/]
    """
    from attribution.catalogue.queries import desk, documents
    from attribution.desk.opening import every

    with case_stores() as stores, stores.sessions() as session:
        rows = list(every(session, desk.case_by_number(session, case), documents.list_documents))
    for row in rows:
        _show(row, as_json=as_json)
    if not (rows or as_json):
        Console().print("no documents")


@app.command()
def save(
    case: Number,
    document: Document,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the file here.")],
) -> None:
    """Save a document as it came; the audit says who has seen it.

    Open it with care: nobody has looked whether a file that somebody sent does any harm.

    Example: [bold]lawful cases documents save 12 1 -o answer.pdf[/]
    """
    from attribution.catalogue.queries import desk, documents
    from attribution.desk.documents import see_document
    from attribution.whole import written_whole

    check_writable(output, "--output")
    with case_stores() as stores:
        with stores.sessions() as session:
            case_id = desk.case_by_number(session, case).id
            document_id = documents.document_at(session, case_id, document).id
        _, data = see_document(stores, case_id, document_id)
    with written_whole(output) as new:
        new.write_bytes(data)
    Console(soft_wrap=True).print(plain(f"saved {output}"), markup=False, highlight=False)


@app.command()
def remove(case: Number, document: Document, why: Why, *, as_json: Json = False) -> None:
    """Delete the file of a document; its line stays, with who removed it and why.

    Example: [bold]lawful cases documents remove 12 1 --why "sent by mistake"[/]
    """
    from attribution.catalogue.queries import desk, documents
    from attribution.desk import documents as kept

    with case_stores() as stores:
        with stores.sessions() as session:
            case_id = desk.case_by_number(session, case).id
            document_id = documents.document_at(session, case_id, document).id
        _show(kept.remove_document(stores, case_id, document_id, why), as_json=as_json)


def _show(row: CaseDocument, *, as_json: bool) -> None:
    from api.cases import DocumentOut

    if as_json:
        print_json(DocumentOut.of(row).model_dump(mode="json"))
        return
    lines = [
        f"document {row.position}: {row.title}",
        f"  {row.media_type}, {row.size_bytes:,} bytes, SHA-256 {row.sha256}",
        f"  added {row.at:%Y-%m-%d %H:%M} by {row.by}",
    ]
    if row.removed_at is not None:
        removed = f"removed {row.removed_at:%Y-%m-%d %H:%M} by {row.removed_by}"
        lines.append(f"  {removed}: {row.removed_why}")
    for line in lines:
        Console(soft_wrap=True).print(plain(line), markup=False, highlight=False)
