"""What to say when a model cannot be loaded: why, and every way out."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

from safetensors import SafetensorError

from attribution.encoders.memory import ran_out
from attribution.errors import ModelUnavailable

# What the libraries raise for weights that are not there, not whole or not what they should be.
BROKEN = (OSError, RuntimeError, ValueError, SafetensorError, UnpicklingError)
UNHEARD = ConnectionError | TimeoutError | socket.gaierror  # of a network; offline mode too
FILES = {".pt", ".safetensors"}  # which no hub is asked for
PICKLED = {"bin", "pt", "pth", "ckpt"}
SHARD = r"(?:-\d+-of-\d+)?"
WEIGHTS = re.compile(  # of diffusers and transformers
    rf"(?:diffusion_pytorch_model|pytorch_model|model){SHARD}(?:\.(?P<variant>[\w-]+?))?{SHARD}"
    rf"\.(?P<form>safetensors|{'|'.join(sorted(PICKLED))})"
)
FOLDER = (
    "put its files into a folder and name that (`local-dir:./FOLDER` for open_clip and timm, "
    "`./FOLDER` for others)"
)


class Why(NamedTuple):
    """Why a model cannot be loaded, and what to do; `ways` is empty if nothing is known of it."""

    reason: str
    ways: str = ""


def unreachable(
    what: str, source: str, cause: BaseException, other: Callable[[], Why | None] = lambda: None
) -> ModelUnavailable:
    """Return the error for weights that cannot be had, with every way out.

    `other` tells of files that are there instead; it is asked if nothing else explains the cause.
    """
    reason, ways = why(source, cause, other)
    path = Path(source)
    if path.is_absolute() or source.startswith("local-dir:") or path.suffix in FILES:
        check = "check the path (`./` begins one beside the file of profiles)"
    else:
        check = "check its name in the profile, and which files the repository has"
    return ModelUnavailable(
        f"cannot load {what} from {source}: {reason}. Either {ways or check}; "
        f"or use LAWFUL_PROFILE=starter, which needs no download"
    )


def why(source: str, cause: BaseException, other: Callable[[], Why | None] = lambda: None) -> Why:
    """Return why a model cannot be loaded; see `unreachable`."""
    causes = list(_chain(cause))
    if ran_out(cause):
        return Why(
            "there is too little memory for its weights",
            "choose smaller models, or LAWFUL_DEVICE=cpu in place of an accelerator",
        )
    if any(isinstance(one, UnpicklingError) for one in causes):
        return Why(
            "its file is no pickle of tensors alone: others may run code, and are not read",
            "save its weights as safetensors (docs/models.md)",
        )
    said = str(cause).strip().splitlines()
    plain = Why(said[0] if said else type(cause).__name__)
    return _of_hub(source, causes) or other() or plain


def other_weights(files: Collection[str], wanted: str | None, setting: str) -> Why | None:
    """Return what a folder has in place of the weights that are wanted; None if it has these.

    `setting` is the line that asks for a variant, with `{}` for its name.
    """
    found = [match for name in files if (match := WEIGHTS.fullmatch(name))]
    variants = {one["variant"] for one in found if one["form"] == "safetensors"}
    if wanted in variants:
        return None
    missing = f"variant {wanted!r}" if wanted else "plain weights"
    if named := sorted(variants - {None}):
        lines = " or ".join(f"`{setting.format(one)}`" for one in named)
        return Why(f"it has no {missing}, but {', '.join(map(repr, named))}", f"write {lines}")
    if variants:
        field = setting.partition("=")[0].strip()
        return Why(f"it has no {missing}, but plain weights", f"leave `{field}` out")
    if pickles := sorted(one[0] for one in found):
        return Why(
            f"{pickles[0]} is a pickle, which can run code as it is read, and there is no file of "
            f"safetensors",
            "convert it (docs/models.md), or take another release of the model",
        )
    return None


def weight_files(model: str, subfolder: str | None = None) -> list[str]:
    """Return the names of the files in a folder or repository; none if it cannot be asked."""
    from huggingface_hub import list_repo_files

    if Path(model).is_dir():
        folder = Path(model, subfolder or "")
        return [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if Path(model).is_absolute():
        return []
    try:
        paths = [Path(name) for name in list_repo_files(model)]
    except (OSError, ValueError):  # it was not the files, then
        return []
    return [path.name for path in paths if path.parent == Path(subfolder or "")]


def _of_hub(source: str, causes: Collection[BaseException]) -> Why | None:
    """Return what the hub has against it; None if the hub was not asked or has it."""
    from huggingface_hub import constants, errors

    for cause in causes:
        if isinstance(cause, errors.GatedRepoError):
            return Why(
                f"the model is gated: {cause.repo_id or source} is given to those who have "
                f"accepted its terms",
                f"accept them on {constants.ENDPOINT}/{cause.repo_id or source} and log in with "
                f"`hf auth login` (or set HF_TOKEN), or {FOLDER}",
            )
        if isinstance(cause, errors.RepositoryNotFoundError):
            return Why(
                f"the hub has no repository {cause.repo_id or source}, or it is private",
                f"check the name; for a private one log in with `hf auth login` (or set HF_TOKEN), "
                f"or {FOLDER}",
            )
        if isinstance(cause, UNHEARD | errors.LocalEntryNotFoundError):
            off = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "no hub can be reached"
            return Why(
                f"{off}, and it was not fetched before",
                f"fetch it once on a machine with network (`lawful models fetch --profile …`, a "
                f"generator by using it; HF_HOME says where it is kept, and HF_HUB_OFFLINE=1 then "
                f"keeps the program off the network), or {FOLDER}",
            )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Go through an error and those that it was raised for."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
