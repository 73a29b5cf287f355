"""What one would write in an afternoon: `python benchmarks/peers/script.py PORTFOLIO CLIP VAE OUT`.

A fair opponent of `lawful ingest`: the same models, the libraries' own defaults, batches of 32, a
flat index. It knows no rights, no copies, no broken files, no withdrawal and no second run.
"""

import json
import sys
from itertools import islice
from pathlib import Path

import faiss
import open_clip
import torch
from diffusers import AutoencoderKL
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

portfolio, clip_source, vae_source, out = sys.argv[1:]
clip, _, preprocess = open_clip.create_model_and_transforms(clip_source)
clip.eval()
vae = AutoencoderKL.from_pretrained(vae_source).eval()
processor = VaeImageProcessor(vae_scale_factor=8)
files = iter(sorted(path for path in Path(portfolio).rglob("*") if path.suffix == ".png"))
indexes, works = {}, []
while paths := list(islice(files, 32)):
    images = [Image.open(path).convert("RGB") for path in paths]
    with torch.inference_mode():
        words = clip.encode_image(torch.stack([preprocess(image) for image in images]))
        pixels = torch.cat([processor.preprocess(image, 128, 128) for image in images])
        latents = vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor
    hand = torch.cat([latents.mean((2, 3)), latents.std((2, 3))], dim=1)
    for name, features in {"clip": words, "vae": hand}.items():
        rows = torch.nn.functional.normalize(features).numpy()
        indexes.setdefault(name, faiss.IndexFlatIP(rows.shape[1])).add(rows)
    works += [{"path": str(path), "artist": path.parent.name} for path in paths]
for name, index in indexes.items():
    faiss.write_index(index, str(Path(out) / f"{name}.faiss"))
(Path(out) / "works.json").write_text(json.dumps(works))
