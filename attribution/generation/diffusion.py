"""Any text-to-image pipeline of diffusers as a `Generator`."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attribution.encoders.memory import ran_out
from attribution.errors import BadInput, ModelUnavailable
from attribution.generation.generator import Drawing, Drawn, GeneratorInfo, ImageRequest
from attribution.generation.pipelines import Opened, PipelineSpec, denoiser_of, open_pipeline

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

    def generate(self, request: ImageRequest, *, on_step: Callable[[int, int], None]) -> Drawing:
        """Draw; see `generator.Generator`."""
        pictures: list[Drawn] = []
        with self._lock, _explained(request, self._spec):
            pipeline = self._ready().pipeline
            call = _call(pipeline, request)
            seeds = list(range(request.seed, request.seed + request.count))
            calls = [seeds[at : at + TOGETHER] for at in range(0, len(seeds), TOGETHER)]
            for number, some in enumerate(calls):
                pictures += _draw(pipeline, call, some, _Steps(on_step, number, len(calls)))
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


def _call(pipeline: Any, request: ImageRequest) -> dict[str, Any]:
    """Return the arguments of this pipeline for this request, pictures apart."""
    takes = inspect.signature(pipeline.__call__).parameters
    side = _side(pipeline)
    call: dict[str, Any] = {
        "prompt": request.prompt,
        "width": request.width or side,
        "height": request.height or side,
    }
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
    except (IndexError, ValueError) as cause:  # sides beyond its positions, too many steps
        raise BadInput(
            f"{type(pipeline).__name__} cannot draw this at {call['width']} × {call['height']} "
            f"pixels: {cause}; leave sizes and steps to the model"
        ) from cause
    finally:
        pipeline.maybe_free_model_hooks()  # also when `on_step` has ended it
    refused = getattr(out, "nsfw_content_detected", None) or [False] * len(seeds)
    for seed, image, is_refused in zip(seeds, out.images, refused, strict=True):
        yield Drawn(seed, None if is_refused else image.convert("RGB"))


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
