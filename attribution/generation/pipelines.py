"""Opens text-to-image pipelines of diffusers, of the hub or a folder, and says what is wrong.

No code comes with a model and no pickle is read: classes are those of diffusers and transformers,
weights are safetensors.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from attribution.encoders.missing import BROKEN, Why, other_weights, weight_files, why
from attribution.encoders.weights import check_device
from attribution.errors import BadInput, ModelUnavailable

STARTER = "starter"
DType = Literal["float32", "float16", "bfloat16"]
Offload = Literal["none", "model", "sequential"]
VARIANT = "LAWFUL_GENERATOR_VARIANT={}"
# And what diffusers and transformers raise for folders whose parts do not fit each other.
UNFIT = (*BROKEN, ImportError, AttributeError, KeyError, TypeError)


@dataclass(frozen=True)
class PipelineSpec:
    """Which pipeline, and how it runs."""

    model: str  # "starter", a repository id or a local folder
    device: str = "cpu"
    dtype: DType = "float32"
    offload: Offload = "none"  # keep parts in main memory until they are needed
    variant: str = ""  # of its files, such as "fp16"; empty: the plain ones
    scheduler: str = ""  # another scheduler of diffusers; empty: the model's own
    lora: str = ""  # a repository id, a folder or a .safetensors file


@dataclass(frozen=True)
class Opened:
    """A pipeline that is ready, and which weights it has."""

    pipeline: Any  # diffusers ships no types
    revision: str


def open_pipeline(spec: PipelineSpec) -> Opened:
    """Load a pipeline and bring it to its device; raises BadInput, ModelUnavailable."""
    import torch
    from diffusers import AutoPipelineForText2Image, DiffusionPipeline

    check_device(spec.device)
    quieten()
    try:
        folder = _folder(spec)
        options = {
            "variant": spec.variant or None,
            "dtype": getattr(torch, spec.dtype),
            "use_safetensors": True,
            "local_files_only": True,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of interest to who made the model
            try:
                pipeline = AutoPipelineForText2Image.from_pretrained(folder, **options)
            except ValueError:  # a class that the automatic choice does not know
                pipeline = DiffusionPipeline.from_pretrained(folder, **options)
    except UNFIT as cause:
        raise _unusable(spec.model, cause, lambda: _other_parts(spec)) from cause
    _check(pipeline, spec.model)
    _set_scheduler(pipeline, spec.scheduler)
    _add_lora(pipeline, spec.lora)
    _place(pipeline, spec)
    pipeline.vae.enable_slicing()  # one picture after another: decoding takes the most memory
    pipeline.set_progress_bar_config(disable=True)
    return Opened(pipeline, _revision(folder))


def check_model(model: str) -> None:
    """Raise ModelUnavailable for a folder that is not there or not whole; loads nothing."""
    try:
        _local_folder(model)
    except (OSError, ValueError) as cause:
        raise _unusable(model, cause) from cause


def _folder(spec: PipelineSpec) -> Path:
    """Return the folder of a model; one of the hub is fetched, or found in its cache."""
    from diffusers import DiffusionPipeline

    folder = _local_folder(spec.model)
    return folder or Path(
        DiffusionPipeline.download(spec.model, variant=spec.variant or None, use_safetensors=True)
    )


def _local_folder(model: str) -> Path | None:
    """Return the folder of a local model, None for one of the hub; raises OSError, ValueError."""
    if model == STARTER:
        return Path(str(files("attribution.starter"))) / "generator"
    path = Path(model).expanduser()
    if not path.is_dir():
        if path.is_absolute() or path.exists() or model.startswith("."):
            raise OSError("there is no such folder")
        return None
    index = path / "model_index.json"
    if not index.is_file():
        raise OSError("the folder has no model_index.json: it is not a pipeline of diffusers")
    parts = json.loads(index.read_text(encoding="utf-8"))
    for name, kind in parts.items():
        if isinstance(kind, list) and any(kind) and not (path / name).is_dir():
            raise OSError(f"the folder has no part {name!r}, which its model_index.json names")
    return path


def _unusable(
    model: str, cause: BaseException, other: Callable[[], Why | None] = lambda: None
) -> ModelUnavailable:
    reason, ways = why(model, cause, other)
    check = (
        "check the folder or the repository id (LAWFUL_GENERATOR, --model); HF_HOME says where "
        "fetched models are kept"
    )
    return ModelUnavailable(
        f"cannot load a generator from {model}: {reason}. Either {ways or check}; or use --model "
        f"starter, which needs no download"
    )


def _other_parts(spec: PipelineSpec) -> Why | None:
    """Return what a folder has in place of the weights that are wanted.

    Each part needs plain weights; of a variant, diffusers takes them where a part does not have it.
    """
    parts = sorted(path for path in Path(spec.model).expanduser().glob("*") if path.is_dir())
    files = {part.name: weight_files(str(part)) for part in parts}
    if spec.variant:
        return other_weights(
            [one for some in files.values() for one in some], spec.variant, VARIANT
        )
    for part, some in files.items():
        if found := other_weights(some, None, VARIANT):
            return found._replace(reason=f"its {part}: {found.reason}")
    return None


def _check(pipeline: Any, model: str) -> None:
    """Refuse what draws nothing from words, and a VAE that does not fit the denoiser."""
    denoiser = denoiser_of(pipeline)
    if denoiser is None or not hasattr(pipeline, "vae"):
        raise BadInput(f"{model} is a {type(pipeline).__name__}: it does not draw from words")
    latent, taken = pipeline.vae.config.latent_channels, denoiser.config.in_channels
    given = 4 * latent if hasattr(pipeline, "_pack_latents") else latent  # FLUX packs squares
    if given != taken:
        raise BadInput(
            f"{model}: its VAE gives {given} channels and does not fit its denoiser, which takes "
            f"{taken}; take both from the same model"
        )


def denoiser_of(pipeline: Any) -> Any:
    """Return the part that draws, by either of its names; None without one."""
    return getattr(pipeline, "transformer", None) or getattr(pipeline, "unet", None)


def from_picture(pipeline: Any, model: str) -> Any:
    """Return the pipeline of the same parts that begins with a picture; raises BadInput."""
    from diffusers import AutoPipelineForImage2Image

    from attribution.generation.auraflow import AuraFlowImg2ImgPipeline, AuraFlowPipeline

    try:
        if type(pipeline) is AuraFlowPipeline:
            other = AuraFlowImg2ImgPipeline(**pipeline.components)
        else:
            other = AutoPipelineForImage2Image.from_pipe(pipeline)
    except ValueError as cause:  # a class that has none
        raise BadInput(
            f"{model} is a {type(pipeline).__name__}, which cannot begin with a picture; leave the "
            f"picture out, or set LAWFUL_GENERATOR to a model that can, such as one of the "
            f"families of Stable Diffusion and FLUX"
        ) from cause
    other.set_progress_bar_config(disable=True)
    return other


def _set_scheduler(pipeline: Any, name: str) -> None:
    if not name:
        return
    fitting = {one.__name__: one for one in pipeline.scheduler.compatibles}
    if name not in fitting:
        known = ", ".join(sorted(fitting)) or "none but the model's own"
        raise BadInput(f"LAWFUL_GENERATOR_SCHEDULER={name} does not fit this model; known: {known}")
    pipeline.scheduler = fitting[name].from_config(pipeline.scheduler.config)


def _add_lora(pipeline: Any, lora: str) -> None:
    if not lora:
        return
    path = Path(lora).expanduser()
    name = {"weight_name": path.name} if path.is_file() else {}
    try:
        pipeline.load_lora_weights(
            str(path.parent if name else path) if path.exists() else lora,
            use_safetensors=True,
            **name,
        )
    except UNFIT as cause:
        said = str(cause).strip().splitlines()
        raise BadInput(
            f"LAWFUL_GENERATOR_LORA={lora} cannot be used: {said[0] if said else type(cause)}; "
            f"give a .safetensors file that was trained for this model"
        ) from cause


def _place(pipeline: Any, spec: PipelineSpec) -> None:
    if spec.offload == "none":
        pipeline.to(spec.device)
    elif spec.device == "cpu":
        raise BadInput(
            f"LAWFUL_GENERATOR_OFFLOAD={spec.offload} keeps parts off the device, and the device "
            f"is the CPU; set it to none, or LAWFUL_DEVICE to an accelerator"
        )
    elif spec.offload == "model":
        pipeline.enable_model_cpu_offload(device=spec.device)
    else:
        pipeline.enable_sequential_cpu_offload(device=spec.device)


def _revision(folder: Path) -> str:
    """Return the commit of a snapshot of the hub, or the SHA-256 of the folder's weights."""
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def quieten() -> None:
    """Leave the terminal to our own progress."""
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
