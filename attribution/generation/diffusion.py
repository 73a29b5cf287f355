"""Any text-to-image pipeline of diffusers as a `Generator`, from a picture too where it can."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageOps

from attribution.encoders.memory import ran_out
from attribution.errors import BadInput, ModelUnavailable
from attribution.generation.generator import (
    LARGEST_SIDE_PX,
    SIDE_STEP_PX,
    Drawing,
    Drawn,
    GeneratorInfo,
    ImageRequest,
)
from attribution.generation.pipelines import (
    Opened,
    PipelineSpec,
    denoiser_of,
    from_picture,
    open_pipeline,
)

TOGETHER = 4  # pictures in one call of the pipeline
FLUX_GUIDANCE = 4.0  # what a negative prompt is weighed with where guidance itself is distilled


class DiffusionGenerator:
    """Draws with one pipeline, one request after another; loads on first use."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._opened: Opened | None = None

    @property
    def info(self) -> GeneratorInfo:
        """What the model is; loads it."""
        with self._lock:
            opened = self._ready()
        family = type(opened.pipeline).__name__
        return GeneratorInfo(self._spec.model, family, opened.revision, self._spec.lora)

    def generate(
        self,
        request: ImageRequest,
        *,
        on_step: Callable[[int, int], None],
        given: Image.Image | None = None,
    ) -> Drawing:
        """Draw; see `generator.Generator`."""
        pictures: list[Drawn] = []
        with self._lock, _explained(request, self._spec):
            opened = self._ready().pipeline
            pipeline, together = opened, TOGETHER
            if given is not None:
                # One by one: of several, FLUX hides the picture with the noise of the first alone.
                pipeline, together = from_picture(opened, self._spec.model), 1
            call = _call(pipeline, request, given)
            seeds = list(range(request.seed, request.seed + request.count))
            calls = [seeds[at : at + together] for at in range(0, len(seeds), together)]
            try:
                for number, some in enumerate(calls):
                    pictures += _draw(pipeline, call, some, _Steps(on_step, number, len(calls)))
            finally:
                opened.maybe_free_model_hooks()  # also when `on_step` has ended it
            return Drawing(tuple(pictures), _notes(pipeline, request.prompt, call))

    def _ready(self) -> Opened:
        if self._opened is None:
            self._opened = open_pipeline(self._spec)
        return self._opened


class _Steps:
    """What a pipeline calls after every step; counts over all calls for one request."""

    def __init__(self, on_step: Callable[[int, int], None], number: int, calls: int) -> None:
        self._on_step, self._number, self._calls = on_step, number, calls

    def __call__(self, pipeline: Any, step: int, _time: Any, _kept: Any) -> dict[str, Any]:
        steps = pipeline.num_timesteps
        self._on_step(self._number * steps + step + 1, self._calls * steps)
        return {}


def _call(pipeline: Any, request: ImageRequest, given: Image.Image | None) -> dict[str, Any]:
    """Return the arguments of this pipeline for this request, seeds apart."""
    takes = inspect.signature(pipeline.__call__).parameters
    width, height = _size(request, _side(pipeline), given)
    call: dict[str, Any] = {"prompt": request.prompt}
    if given is not None:
        call["image"] = ImageOps.fit(given, (width, height), Image.Resampling.LANCZOS)
        call["strength"] = _strength(request, takes)
    if "width" in takes:  # else it is that of the picture
        call |= {"width": width, "height": height}
    if request.steps is not None:
        call["num_inference_steps"] = request.steps
    if request.guidance is not None:
        call["guidance_scale"] = request.guidance
    if request.negative_prompt:
        if "negative_prompt" not in takes:
            raise BadInput(f"{type(pipeline).__name__} has no negative prompt; leave it out")
        call["negative_prompt"] = request.negative_prompt
        if "true_cfg_scale" in takes:
            call["true_cfg_scale"] = request.guidance or FLUX_GUIDANCE
    if "max_sequence_length" in takes:  # no longer than its text model has places for
        default = takes["max_sequence_length"].default
        call["max_sequence_length"] = min(default, _context(pipeline))
    return call


def _draw(
    pipeline: Any, call: dict[str, Any], seeds: list[int], on_step: _Steps
) -> Iterator[Drawn]:
    import torch

    try:
        out = pipeline(
            **call,
            num_images_per_prompt=len(seeds),
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            callback_on_step_end=on_step,
        )
    except (IndexError, ValueError) as cause:  # sides beyond its positions, too many steps or none
        width, height = call["image"].size if "image" in call else (call["width"], call["height"])
        raise BadInput(
            f"{type(pipeline).__name__} cannot draw this at {width} × {height} pixels: {cause}; "
            f"leave sizes and steps to the model"
        ) from cause
    refused = getattr(out, "nsfw_content_detected", None) or [False] * len(seeds)
    for seed, image, is_refused in zip(seeds, out.images, refused, strict=True):
        yield Drawn(seed, None if is_refused else image.convert("RGB"))


def _size(request: ImageRequest, side: int, given: Image.Image | None) -> tuple[int, int]:
    """Return width and height in pixels: as asked, else as the model or the picture has it.

    A side that is left out follows the proportions of the given picture. Without both, the longer
    one is that of the model: some have positions for no more.
    """
    if given is None:
        return request.width or side, request.height or side
    ratio = given.width / given.height
    if request.height is None:
        width = request.width or min(side, side * ratio)
        return _fitting(width), _fitting(width / ratio)
    return _fitting(request.width or request.height * ratio), request.height


def _strength(request: ImageRequest, takes: Mapping[str, inspect.Parameter]) -> float:
    """Return how far to go from a given picture; raises BadInput where no step is left to draw."""
    strength: float = request.strength or takes["strength"].default
    steps: int = request.steps or takes["num_inference_steps"].default
    if int(steps * strength) < 1:
        raise BadInput(
            f"{steps} steps at strength {strength:g} leave no step to draw; give more of either"
        )
    return strength


def _fitting(side: float) -> int:
    """Return the nearest side that models take."""
    return min(max(round(side / SIDE_STEP_PX), 1) * SIDE_STEP_PX, LARGEST_SIDE_PX)


def _side(pipeline: Any) -> int:
    """Return the pixels a side that the model was trained on."""
    sample = getattr(denoiser_of(pipeline).config, "sample_size", None)
    return int((sample or pipeline.default_sample_size) * pipeline.vae_scale_factor)


def _tokenizers(pipeline: Any) -> list[Any]:
    found = (getattr(pipeline, f"tokenizer{number}", None) for number in ("", "_2", "_3"))
    return [one for one in found if one is not None]


def _context(pipeline: Any) -> int:
    """Return how many tokens the longest of its text models reads."""
    return max(int(one.model_max_length) for one in _tokenizers(pipeline))


def _notes(pipeline: Any, prompt: str, call: dict[str, Any]) -> tuple[str, ...]:
    longest = max(_tokenizers(pipeline), key=lambda one: int(one.model_max_length))
    tokens = len(longest(prompt).input_ids)
    context = call.get("max_sequence_length") or _context(pipeline)
    if tokens <= context:
        return ()
    return (f"the prompt has {tokens} tokens, the model reads the first {context}",)


@contextmanager
def _explained(request: ImageRequest, spec: PipelineSpec) -> Iterator[None]:
    """Say what to do when memory runs out; what `on_step` raises goes through."""
    try:
        yield
    except (RuntimeError, MemoryError) as cause:
        if not ran_out(cause):
            raise
        raise _out_of_memory(request, spec) from cause


def _out_of_memory(request: ImageRequest, spec: PipelineSpec) -> ModelUnavailable:
    return ModelUnavailable(
        f"{spec.model} ran out of memory on {spec.device} for {request.count} pictures; ask for "
        f"fewer or smaller ones, or set LAWFUL_GENERATOR_DTYPE=float16 or "
        f"LAWFUL_GENERATOR_OFFLOAD=model"
    )
