"""Settings: every `LAWFUL_` variable, with its unit and its reason.

Read at the edges only (command line, app factory, `migrations/env.py`) and passed down.
Everything embedded lives under one folder, `home`; the defaults need no service.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a deployment may choose; documented in `docs/configuration.md`."""

    model_config = SettingsConfigDict(env_prefix="LAWFUL_", env_file=".env", extra="ignore")

    home: Path = Field(default_factory=lambda: user_data_path("lawful", appauthor=False))
    database_url: str = Field(
        default_factory=lambda known: f"sqlite:///{known['home'] / 'lawful.db'}"
    )  # SQLAlchemy URL; the SQLite file under `home` needs no server
    qdrant_url: str = Field(
        default_factory=lambda known: str(known["home"] / "index")
    )  # a folder (Qdrant Edge, in process) or an http(s) URL (server)
    profile: str = "starter"  # a name, or the path of a TOML file with encoders of your own
    device: str = "cpu"  # "cpu", "cuda", "cuda:1", "mps"
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 32  # images per call of an encoder

    max_image_mb: Annotated[float, Field(gt=0)] = 64  # one file, as uploaded or on disk
    max_image_megapixels: Annotated[float, Field(gt=0)] = 100  # decoded: 3 bytes a pixel
    max_archive_mb: Annotated[float, Field(gt=0)] = 2048  # an uploaded archive, packed
    max_archive_files: Annotated[int, Field(ge=1)] = 100_000  # members of an uploaded archive

    host: str = "127.0.0.1"  # the API has no accounts yet: loopback unless you decide otherwise
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    allowed_hosts: list[str] = []  # names a browser may use; addresses and localhost may be

    @property
    def thumbnails_path(self) -> Path:
        """The folder of thumbnails, named by content."""
        return self.home / "thumbnails"

    @property
    def uploads_path(self) -> Path:
        """Where uploads wait for their ingest job."""
        return self.home / "uploads"
