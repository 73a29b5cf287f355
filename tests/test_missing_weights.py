"""Models that cannot be loaded: other files than are asked for, pickles, and what a hub may say."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import huggingface_hub.constants
import huggingface_hub.hf_api
import numpy as np
import pytest
import torch
from PIL import Image

from attribution.encoders.clip import ClipSpec
from attribution.encoders.encoder import Lane
from attribution.encoders.spec import Spec
from attribution.encoders.timm_model import TimmSpec
from attribution.encoders.vae import VaeSpec
from attribution.errors import ModelUnavailable
from attribution.generation.pipelines import PipelineSpec, open_pipeline
from tests import checkpoints
from tests.pipelines import save_sd

NOISE = Image.effect_noise((40, 40), 80).convert("RGB")
CODES = MappingProxyType(
    {
        "gated": (403, "GatedRepo"),
        "gone": (404, "RepoNotFound"),
        "half": (404, "EntryNotFound"),
    }
)
CONFIGURATION = b'{"_class_name": "AutoencoderKL"}'
TREE = [
    {"type": "file", "path": path, "size": 1, "oid": "0"}
    for path in (
        "config.json",
        "diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.bin",
    )
]


@pytest.fixture
def kl(tmp_path: Path) -> Path:
    """Save a VAE."""
    checkpoints.save_vaes(tmp_path)
    return tmp_path / "kl"


def vae(model: str | Path, variant: str | None = None) -> VaeSpec:
    """Ask for a VAE."""
    return VaeSpec(model=str(model), size_px=32, variant=variant, license="MIT")


def clip(model: str) -> ClipSpec:
    """Ask for a CLIP of the hub."""
    return ClipSpec(model=f"hf-hub:{model}", license="MIT")


def timm(model: str) -> TimmSpec:
    """Ask for a model of timm of the hub."""
    return TimmSpec(
        kind="timm", model=f"hf-hub:{model}", vector="a", lane=Lane.CONTENT, license="MIT"
    )


def refused(spec: Spec) -> str:
    """Return what is said of a model that cannot be loaded."""
    with pytest.raises(ModelUnavailable) as caught:
        spec.encoder("cpu").encode([NOISE])
    return str(caught.value)


def test_half_precision_alone_needs_its_variant(kl: Path) -> None:
    """It encodes in float32, nearly as the whole weights do; without its line, that is named."""
    whole = vae(kl).encoder("cpu").encode([NOISE])
    checkpoints.halve(kl)
    half = vae(kl, "fp16").encoder("cpu").encode([NOISE])

    for name, rows in half.items():
        assert np.isfinite(rows).all()
        np.testing.assert_allclose(rows, whole[name], atol=0.01)
    assert "has no plain weights, but 'fp16'. Either write `variant = \"fp16\"`" in refused(vae(kl))


def test_a_variant_that_there_is_not_is_named(kl: Path) -> None:
    """With what the folder has."""
    said = refused(vae(kl, "fp16"))

    assert "no variant 'fp16', but plain weights. Either leave `variant` out" in said


def test_pickles_are_not_read(kl: Path) -> None:
    """The file is named, and the way out."""
    checkpoints.pickle_weights(kl)

    said = refused(vae(kl))
    assert "diffusion_pytorch_model.bin is a pickle" in said
    assert "convert it (docs/models.md)" in said


OWN_TOKENIZER = """
open({!r}, "w").close()
from transformers import PreTrainedTokenizerFast as Own
"""


class Harm:
    """Writes a file as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        """Do it."""
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["open_clip", "timm"])
def test_code_in_a_pickle_is_not_run(kind: str, tmp_path: Path) -> None:
    """Of whatever library; its weights are read, or nothing is."""
    harmed = tmp_path / "harmed"
    if kind == "open_clip":
        path = tmp_path / "ViT-B-32.pt"
        spec: Spec = ClipSpec(model="ViT-B-32", pretrained=str(path), license="MIT")
    else:
        spec = timm("unused").model_copy(update={"model": checkpoints.save_timm(tmp_path / "timm")})
        (tmp_path / "timm" / "model.safetensors").unlink()
        path = tmp_path / "timm" / "pytorch_model.bin"
    torch.save({"state_dict": {"a": Harm(harmed)}}, path)

    assert "no pickle of tensors alone" in refused(spec)
    assert not harmed.exists()


def test_code_of_a_tokenizer_is_not_run(tmp_path: Path) -> None:
    """Though the configuration that lies beside it says that it may."""
    harmed, folder = tmp_path / "harmed", tmp_path / "clip"
    name = checkpoints.save_clip(folder, checkpoints.FAMILIES["siglip 2"])
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.Own", None]})
    (folder / "own.py").write_text(OWN_TOKENIZER.format(str(harmed)), encoding="utf-8")
    path = folder / "open_clip_config.json"
    text = json.loads(path.read_text(encoding="utf-8"))["model_cfg"]
    text["text_cfg"]["tokenizer_kwargs"]["trust_remote_code"] = True
    change(path, model_cfg=text)

    ClipSpec(model=name, license="MIT").encoder("cpu").encode([NOISE])
    assert not harmed.exists()


def change(path: Path, **fields: object) -> None:
    """Change fields of a file of JSON."""
    known = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**known, **fields}), encoding="utf-8")


def test_torn_weights_are_explained(kl: Path, tmp_path: Path) -> None:
    """Half a file, whatever library reads it."""
    folders = {"clip": checkpoints.save_clip(tmp_path / "clip")}
    folders["timm"] = checkpoints.save_timm(tmp_path / "timm")
    specs = [
        vae(kl),
        ClipSpec(model=folders["clip"], license="MIT"),
        timm("unused").model_copy(update={"model": folders["timm"]}),
    ]
    for path in tmp_path.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:3000])
    for spec in specs:
        assert "check the path" in refused(spec)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Serve a hub of a gated model, one that is not there, and one of half precision alone."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "/tree/" in self.path:
                self.answer(200, json.dumps(TREE).encode())
            elif "half" in self.path and self.path.endswith("/config.json"):
                self.answer(200, CONFIGURATION, ETag='"1"', **{"X-Repo-Commit": "0" * 40})
            else:
                status, code = next(CODES[name] for name in CODES if name in self.path)
                self.answer(status, b"", **{"X-Error-Code": code})

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's
            """Leave the terminal alone."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{server.server_port}"
        constants = huggingface_hub.constants
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, where)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", where)
        monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", where)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield server
        server.shutdown()


def of_generator(model: str) -> str:
    """Return what is said of a generator that cannot be loaded."""
    with pytest.raises(ModelUnavailable) as caught:
        open_pipeline(PipelineSpec(model))
    return str(caught.value)


HUB = pytest.mark.filterwarnings("ignore:The `local_dir_use_symlinks` argument:UserWarning")
ASKED: list[Callable[[str], str]] = [
    lambda model: refused(vae(model)),
    lambda model: refused(clip(model)),
    lambda model: refused(timm(model)),
    of_generator,
]


@HUB
@pytest.mark.parametrize("said_of", ASKED, ids=["vae", "clip", "timm", "generator"])
def test_what_a_hub_refuses_is_explained(
    said_of: Callable[[str], str], hub: ThreadingHTTPServer
) -> None:
    """A gated model by its page and how to log in, one that is not there by its name."""
    gated = said_of("artist/gated")
    page = f"http://127.0.0.1:{hub.server_port}/artist/gated "
    for fact in ("artist/gated is given to those who", page, "`hf auth login`", "HF_TOKEN"):
        assert fact in gated
    gone = said_of("artist/gone")
    assert "no repository artist/gone, or it is private" in gone
    assert "put its files into a folder" in gone
    assert "starter" in gone


@HUB
@pytest.mark.parametrize("said_of", ASKED, ids=["vae", "clip", "timm", "generator"])
def test_a_hub_out_of_reach_is_explained(
    said_of: Callable[[str], str], hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens at its address any more; the client's patience is not waited for."""
    hub.shutdown()
    hub.server_close()
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _s: None)

    said = said_of("artist/model")
    assert "no hub can be reached, and it was not fetched before" in said
    assert "lawful models fetch" in said


@HUB
@pytest.mark.usefixtures("hub")
def test_a_repository_is_asked_what_it_has_instead() -> None:
    """As a folder is, and each of its folders by itself."""
    spec = vae("artist/half")

    assert 'write `variant = "fp16"`' in refused(spec)
    inner = refused(spec.model_copy(update={"subfolder": "vae"}))
    assert "diffusion_pytorch_model.bin is a pickle" in inner


def test_a_generators_variant_is_its_own_setting(tmp_path: Path) -> None:
    """It opens with it; without it the part, what it has and the line are named."""
    half = save_sd(tmp_path / "half")
    for path in list(half.rglob("*.safetensors")):
        path.rename(path.with_suffix(".fp16.safetensors"))

    assert open_pipeline(PipelineSpec(str(half), variant="fp16")).pipeline
    said = of_generator(str(half))
    assert "has no plain weights, but 'fp16'" in said
    assert "write `LAWFUL_GENERATOR_VARIANT=fp16`" in said
    with pytest.raises(ModelUnavailable, match=r"no variant 'ema', but 'fp16'\. Either write"):
        open_pipeline(PipelineSpec(str(half), variant="ema"))
