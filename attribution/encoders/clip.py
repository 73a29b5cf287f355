"""CLIP through open_clip: images and words in one space."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import PIL.Image

from attribution.encoders import clip_style
from attribution.encoders.cores import share_cores
from attribution.encoders.descriptors import unit
from attribution.encoders.encoder import Lane, ModelInfo
from attribution.encoders.missing import BROKEN, unreachable
from attribution.encoders.portions import OF_A_TOWER, Portions
from attribution.encoders.resizing import OPEN_CLIP, Resize
from attribution.encoders.runtimes import Forward
from attribution.encoders.spec import LOCAL, Once, Spec, VectorName
from attribution.encoders.tuned import Tuned
from attribution.encoders.weights import check_device, state_hash
from attribution.errors import BadInput
from attribution.types import PATCHES, Matrix, Patches

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

CONFIGURATION = "open_clip_config.json"  # of a folder or repository
VOCABULARY_FILE = "bpe_vocabulary.txt.gz"  # a folder's own byte pair merges, where it has them


class ClipSpec(Spec):
    """Which CLIP: an open_clip architecture and tag, a checkpoint, `hf-hub:…` or `local-dir:…`."""

    kind: Literal["open_clip"] = "open_clip"
    pretrained: str | None = None  # a tag or the path of a checkpoint; none for hf-hub, local-dir
    vector: VectorName = "clip"
    lane: Lane = Lane.CONTENT
    resize: Resize | None = None  # none: as the model's authors do
    style: bool = False  # whether it gives a second vector, of its early and middle stages

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The vector in which texts are found too, and perhaps one by what hand."""
        own = {self.vector: self.lane}
        return own | {self.style_vector: Lane.STYLE} if self.style else own

    @property
    def style_vector(self) -> str:
        """The named vector by what hand."""
        return f"{self.vector}_style"

    @property
    def source(self) -> str:
        """Architecture and tag, or where the model lies."""
        return f"{self.model}/{self.pretrained}" if self.pretrained else self.model

    def encoder(self, device: str, tuned: Tuned | None = None) -> ClipEncoder:
        """Return the encoder; see `Spec.encoder`."""
        return ClipEncoder(self, device=device, tuned=tuned)


@dataclass(frozen=True)
class _Loaded:
    model: Any  # open_clip ships no types
    preprocess: Callable[[Image], torch.Tensor]
    tokenizer: Callable[[list[str]], torch.Tensor]
    frozen: clip_style.Frozen | None  # what the second vector is standardised by
    revision: str
    forward: Forward  # features of pixels, and statistics of the style vector


class ClipEncoder:
    """Encodes images and texts in one space, images perhaps in a second; loads on first use."""

    def __init__(self, spec: ClipSpec, *, device: str, tuned: Tuned | None = None) -> None:
        self._spec = spec
        self._device = device
        self._loaded = Once(lambda: _load(spec, device, tuned))
        self._portions = Portions(spec.name, device=device, bytes_per_pixel=OF_A_TOWER)
        self.text_vector = spec.vector

    @cached_property
    def info(self) -> ModelInfo:
        """What the model is; loads it."""
        loaded = self._loaded()
        said = f"{loaded.preprocess}; float32"
        if self._spec.style:
            frozen = loaded.frozen.digest if loaded.frozen else "nothing"
            said += f"; {clip_style.METHOD}, standardised by {frozen}"
        rows = self.encode([PIL.Image.new("RGB", (8, 8))])
        widths = {name: row.shape[1] for name, row in rows.items()}
        return self._spec.info(loaded.revision, widths, said)

    def encode(self, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode RGB images of any size; see `encoder.Encoder`."""
        loaded = self._loaded()
        rows = self._portions.run(images, loaded.preprocess, self._vectors)
        return {
            name: matrix.cpu().numpy() for name, matrix in zip(self._spec.lanes, rows, strict=True)
        }

    def _vectors(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the unit vectors of prepared images, in the order of the spec's lanes."""
        from torch.nn.functional import normalize

        loaded = self._loaded()
        features, *statistics = loaded.forward(pixels)
        styles = [unit(clip_style.standardised(rows, loaded.frozen)) for rows in statistics]
        return normalize(features.float(), dim=-1), *styles

    def statistics(self, images: Sequence[Image]) -> torch.Tensor:
        """Return what the style vector is made from; see `clip_style.statistics`."""
        loaded = self._loaded()
        (rows,) = self._portions.run(
            images,
            loaded.preprocess,
            lambda pixels: (clip_style.statistics(_stages(self._spec, loaded.model, pixels)[0]),),
        )
        return rows

    def encode_text(self, texts: Sequence[str]) -> Matrix:
        """Encode texts; what is longer than the model's context is cut."""
        import torch

        loaded = self._loaded()
        tokens = loaded.tokenizer(list(texts)).to(self._device)
        with torch.inference_mode():
            rows = loaded.model.encode_text(tokens, normalize=True)
        matrix: Matrix = rows.float().cpu().numpy()
        return matrix

    def encode_patches(self, images: Sequence[Image]) -> Patches:
        """Describe places by the second half of the tower; see `encoder.PatchEncoder`.

        Three of its stages, each brought to the same grid and to unit length at every place, side
        by side: early ones know textures and strokes, late ones forms.
        """
        loaded = self._loaded()
        (joined,) = self._portions.run(images, loaded.preprocess, self._places)
        patches: Patches = joined.cpu().numpy()
        return patches

    def _places(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        import torch
        from torch.nn import functional

        stages, _ = _stages(self._spec, self._loaded().model, pixels)
        count = len(stages)
        chosen = (stages[count // 2], stages[3 * count // 4], stages[-1])
        maps = [functional.adaptive_avg_pool2d(stage.float(), PATCHES) for stage in chosen]
        joined = torch.cat([functional.normalize(one, dim=1) for one in maps], dim=1)
        return (joined.permute(0, 2, 3, 1),)


def _stages(
    spec: ClipSpec, model: Any, pixels: torch.Tensor
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return what every stage makes of square images, (n, channels, h, w), and their features."""
    try:
        output = model.forward_intermediates(pixels, normalize=False)
    except (AttributeError, NotImplementedError) as cause:  # some towers of timm, all of HF
        raise BadInput(
            f"{spec.name} keeps no map of places, which regions and `style` need; "
            f"a ViT or ResNet of open_clip does"
        ) from cause
    return output["image_intermediates"], output["image_features"]


def _tower(spec: ClipSpec, model: Any) -> torch.nn.Module:
    """Return the image tower as a module of its own, with the statistics of the style vector."""
    from torch import Tensor, nn

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
            if not spec.style:
                return (self.model.encode_image(pixels),)
            stages, features = _stages(spec, self.model, pixels)
            return features, clip_style.statistics(stages)

    return Tower().eval()


def _load(spec: ClipSpec, device: str, tuned: Tuned | None) -> _Loaded:
    import open_clip
    import torch

    folder = Path(spec.model.removeprefix(LOCAL))
    _check_known(spec)
    check_device(device)
    share_cores()
    try:
        with warnings.catch_warnings():
            # Without this a checkpoint trained with QuickGELU loads, and every vector is wrong.
            warnings.filterwarnings("error", message=".*QuickGELU.*")
            model, _, preprocess = open_clip.create_model_and_transforms(
                spec.model,
                pretrained=spec.pretrained,
                device=device,
                image_resize_mode=OPEN_CLIP[spec.resize] if spec.resize else None,
                require_pretrained=True,
            )
        tokenizer = open_clip.get_tokenizer(spec.model, **_tokenizer_options(spec.model))
    except UserWarning as mismatch:
        raise BadInput(
            f"{spec.name}: {mismatch}; use the -quickgelu architecture for this tag"
        ) from None
    except BROKEN as cause:
        raise unreachable("CLIP weights", spec.source, cause) from cause
    if device == "cpu":  # a third faster for convolutions there, with the same numbers
        model = model.to(memory_format=torch.channels_last)
    revision = state_hash(model)
    tower = _tower(spec, model)
    forward = tuned.forward(tower, spec.key(revision)) if tuned else tower
    frozen = _frozen(folder, device)
    return _Loaded(model.eval(), preprocess, tokenizer, frozen, revision, forward)


def _tokenizer_options(model: str) -> dict[str, Any]:
    """Return what a tokenizer is made with: a folder's own vocabulary, and never code with it.

    The configuration of a model may ask transformers to run code; open_clip would pass that on.
    """
    from huggingface_hub import hf_hub_download

    schema, _, place = model.partition(":")
    if not place:
        return {}  # an architecture of open_clip, whose configuration is open_clip's
    folder = Path(place)
    path = folder / CONFIGURATION
    if f"{schema}:" != LOCAL:
        path = Path(hf_hub_download(place, CONFIGURATION))  # it is in the cache by now
    text = json.loads(path.read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    if text.get("hf_tokenizer_name"):
        return {"trust_remote_code": False}
    vocabulary = folder / VOCABULARY_FILE
    return {"bpe_path": str(vocabulary)} if vocabulary.is_file() else {}


def _frozen(folder: Path, device: str) -> clip_style.Frozen | None:
    frozen = clip_style.load(folder)
    if frozen is None:
        return None
    return clip_style.Frozen(frozen.centre.to(device), frozen.axes.to(device))


def _check_known(spec: ClipSpec) -> None:
    """Refuse an architecture that open_clip does not have before it tries anything."""
    import open_clip

    logging.getLogger("open_clip").setLevel(logging.WARNING)
    if ":" not in spec.model and spec.model not in open_clip.list_models():
        raise BadInput(
            f"open_clip has no architecture {spec.model!r}; "
            f"`python -c 'import open_clip; print(open_clip.list_models())'` lists them"
        )
