"""AuraFlow that begins with a picture: diffusers has no such pipeline for this family.

As its pipelines of other flow-matching models do it: the latent of the picture, hidden by as much
noise as the first of the remaining steps expects. It is drawn by diffusers' own `AuraFlowPipeline`.
"""

from __future__ import annotations

from typing import Any

import diffusers
import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image

AuraFlowPipeline: Any = diffusers.AuraFlowPipeline  # diffusers ships no types


class AuraFlowImg2ImgPipeline(AuraFlowPipeline):  # type: ignore[misc]  # for that reason
    """Takes what `AuraFlowPipeline` takes, and `image` and `strength` as others of diffusers do."""

    @torch.no_grad()
    def __call__(  # noqa: PLR0913  as others of diffusers
        self,
        prompt: str,
        image: Image.Image,
        generator: list[torch.Generator],
        negative_prompt: str | None = None,
        strength: float = 0.6,  # as for Stable Diffusion 3 and FLUX
        num_inference_steps: int = 50,
        max_sequence_length: int = 256,
        **others: Any,
    ) -> Any:
        """Draw one picture from an RGB image whose sides the VAE can take."""
        left = min(int(num_inference_steps * strength), num_inference_steps)
        sigmas = np.linspace(1.0, 1 / num_inference_steps, num_inference_steps)[-left:]
        self.scheduler.set_timesteps(sigmas=sigmas)  # which may shift them
        clean = self._latent(image, generator)
        noise = randn_tensor(clean.shape, generator=generator, device=clean.device)
        return super().__call__(
            prompt=prompt,
            negative_prompt=negative_prompt,
            width=image.width,
            height=image.height,
            generator=generator,
            sigmas=sigmas,
            latents=self.scheduler.scale_noise(clean, self.scheduler.timesteps[:1], noise),
            max_sequence_length=max_sequence_length,
            **others,
        )

    def _latent(self, image: Image.Image, generator: list[torch.Generator]) -> torch.Tensor:
        """Encode in float32: some of its VAEs overflow in half precision."""
        pixels = self.image_processor.preprocess(image).to(self._execution_device)
        dtype = self.vae.dtype
        self.vae.to(torch.float32)
        found = self.vae.encode(pixels).latent_dist.sample(generator[0])
        self.vae.to(dtype)
        latent: torch.Tensor = found * self.vae.config.scaling_factor
        return latent
