"""Which generator the settings name; nothing is loaded before it draws."""

from __future__ import annotations

from attribution.config import Settings
from attribution.generation.diffusion import DiffusionGenerator
from attribution.generation.generator import Generator
from attribution.generation.pipelines import PipelineSpec, check_model
from attribution.generation.stub import StubGenerator

STUB = "stub"


def check_generator(settings: Settings) -> None:
    """Raise ModelUnavailable for a local folder that cannot be the generator; loads nothing."""
    if settings.generator != STUB:
        check_model(settings.generator)


def load_generator(settings: Settings) -> Generator:
    """Return the generator of these settings; "stub" is for tests."""
    if settings.generator == STUB:
        return StubGenerator()
    return DiffusionGenerator(
        PipelineSpec(
            settings.generator,
            device=settings.device,
            dtype=settings.generator_dtype,
            offload=settings.generator_offload,
            variant=settings.generator_variant,
            scheduler=settings.generator_scheduler,
            lora=settings.generator_lora,
        )
    )
