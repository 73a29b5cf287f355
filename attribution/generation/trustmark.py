"""TrustMark (Adobe, MIT), variant P: a network that hides 61 bits, with weights from a folder.

The library fetches weights when it finds none. Here they come from the folder alone, and have to
be those that its authors published.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import redirect_stdout
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from attribution.encoders.weights import check_device
from attribution.errors import ModelUnavailable

FILES = ("trustmark_P.yaml", "encoder_P.ckpt", "decoder_P.ckpt")
SOURCE = "https://cai-watermark.adobe.net/watermarking/trustmark-models/"
SCHEMA = 1  # of the bits: BCH_5, which mends five that were misread
EXTRA = (
    "LAWFUL_TRUSTMARK needs the package trustmark; install it with "
    "`pip install 'lawful-diffusion[trustmark]'`"
)


class TrustMark:
    """Marks pictures; see `watermarks.Watermarker`."""

    algorithm = "com.adobe.trustmark.P"
    capacity = 61

    def __init__(self, folder: Path, device: str) -> None:
        self._folder, self._device = folder, device
        self._lock = Lock()  # two requests may find the model unloaded
        self._model: Any = None

    def load(self) -> None:
        """Load the weights; raises ModelUnavailable, BadInput for the device."""
        with self._lock:
            if self._model is None:
                self._model = _open(self._folder, self._device)

    def embed(self, image: Image.Image, payload: str) -> Image.Image:
        """Embed; see `watermarks.Watermarker`."""
        self.load()
        marked: Image.Image = self._model.encode(image, payload, MODE="binary")
        return marked

    def read(self, image: Image.Image) -> str | None:
        """Read, in four positions; see `watermarks.Watermarker`."""
        self.load()
        payload, is_there, schema = self._model.decode(image, MODE="binary", ROTATION=True)
        return str(payload) if is_there and schema == SCHEMA else None

    def binding(self, payload: str) -> str:
        """Return what TrustMark writes: the schema and the bits."""
        return f"{SCHEMA}*{payload}"


def _open(folder: Path, device: str) -> Any:
    try:
        from trustmark import TrustMark as Model
        from trustmark.trustmark import MODEL_CHECKSUMS
    except ImportError:
        raise ModelUnavailable(EXTRA) from None
    for name in FILES:
        _check(folder / name, MODEL_CHECKSUMS[name])
    check_device(device)

    class Local(Model):  # type: ignore[misc]
        def check_and_download(self, filename: str) -> None:
            """Fetch nothing: the files were checked."""

        def load_model(self, config: str, weights: str, *others: Any, **named: Any) -> Any:
            """Load a part from the folder, not from within the package."""
            here = [str(folder / Path(one).name) for one in (config, weights)]
            return super().load_model(*here, *others, **named)

    with redirect_stdout(sys.stderr):  # it tells how long it was trained
        return Local(
            verbose=False,
            device=device,
            model_type="P",
            encoding_type=SCHEMA,
            loadRemover=False,
        )


def _check(path: Path, md5: str) -> None:
    """Raise ModelUnavailable for a file that is not there or another one than was published."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    except OSError as error:
        what = error.strerror or "it cannot be read"
    else:
        if digest.hexdigest() == md5:
            return
        what = f"its MD5 is {digest.hexdigest()}, not the published {md5}"
    raise ModelUnavailable(
        f"LAWFUL_TRUSTMARK: {path}: {what}. Put {', '.join(FILES)} from {SOURCE} into that folder; "
        f"nothing is downloaded"
    )
