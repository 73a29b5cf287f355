"""Settings: every `LAWFUL_` variable, with its unit and its reason.

Read at the edges only (command line, app factory, `migrations/env.py`) and passed down.
Everything embedded lives under one folder, `home`; the defaults need no service. A variable that is
empty counts as not set.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from platformdirs import user_data_path
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from attribution.actors import Role
from attribution.cases import CaseKind
from attribution.errors import BadInput

Place = TypeVar("Place", Path, str)

SECRETS = Path("/run/secrets")  # where Docker and Kubernetes put them, a file each


class _Secrets(SecretsSettingsSource):
    """Files of secrets; one that is there and cannot be taken is an error, not a warning."""

    def __call__(self) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            try:
                return super().__call__()
            except SettingsError as error:
                if isinstance(error.__cause__, UserWarning | OSError):
                    way_out = "Put the secret itself there, readable for this user."
                    raise BadInput(f"{error.__cause__} {way_out}") from None
                raise


class Settings(BaseSettings):
    """What a deployment may choose; documented in `docs/configuration.md`."""

    model_config = SettingsConfigDict(
        env_prefix="LAWFUL_",
        env_file=".env",
        env_ignore_empty=True,
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
        extra="ignore",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let no file of a secret be passed over."""
        assert isinstance(file_secret_settings, SecretsSettingsSource)  # noqa: S101  for mypy
        secrets = _Secrets(settings_cls, file_secret_settings.secrets_dir)
        return init_settings, env_settings, dotenv_settings, secrets

    home: Path = Field(default_factory=lambda: user_data_path("lawful", appauthor=False))
    database_url: str = Field(
        default_factory=lambda known: f"sqlite:///{known['home'] / 'lawful.db'}"
    )  # SQLAlchemy URL; the SQLite file under `home` needs no server
    qdrant_url: str = Field(
        default_factory=lambda known: str(known["home"] / "index")
    )  # a folder (Qdrant Edge, in process) or an http(s) URL (server)
    qdrant_api_key: SecretStr | None = None  # of the server, and of `lawful index-server`
    # Where the server takes gRPC: points are written through it, a fifth of their size as JSON.
    qdrant_grpc_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    qdrant_timeout_s: Annotated[int, Field(ge=1)] = 10  # one request; a person waits for most
    qdrant_shards: Annotated[int, Field(ge=1)] = 1  # of a new collection, fixed from then on
    qdrant_replicas: Annotated[int, Field(ge=1)] = 1  # copies of each shard, on different machines
    tenant: str = "default"  # for whom the command line acts, and whoever needs no key
    storage_url: str = Field(
        default_factory=lambda known: str(known["home"])
    )  # a folder, or s3://BUCKET/PREFIX that every worker reaches
    subjects: Literal["image", "encrypted", "digest"] = "image"  # kept of what is asked about
    subjects_key: SecretStr | None = None  # Fernet keys, by comma: the first encrypts, all decrypt
    most_lookups: Annotated[int, Field(ge=1)] = 24  # that a process has in hand; then 503
    lookup_wait_s: Annotated[float, Field(gt=0, le=60)] = 0.8  # of one for its turn; then 503
    thorough: bool = False  # lookups over HTTP that do not say, and are not about copies
    subject_days: Annotated[int, Field(ge=1, le=36_500)] = 180  # then such an image is deleted
    # Then answers are whole in the file store alone; none: they stay in the database.
    answer_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    job_days: Annotated[int, Field(ge=1, le=36_500)] | None = None  # then idle lines of jobs go
    keep_originals: bool = False  # keep the files of works: for other encoders, at their full size
    broker_url: str = ""  # redis://… of Celery workers; empty: jobs run in the process at hand
    profile: str = "starter"  # which encoders: a profile of the package or of `profiles`
    profiles: Path | None = None  # a TOML file with profiles of your own
    accept_licences: list[str] = []  # of weights, by name: those that may forbid a use
    device: str = "cpu"  # "cpu", "cuda", "cuda:1", "mps"
    voters: Annotated[list[Literal["neighbours", "classifier", "trained"]], Field(min_length=1)] = [
        "neighbours",
        "classifier",
    ]  # who names artists; evidence and copies come from the neighbours in any case
    trained: Path = Field(
        default_factory=lambda known: known["home"] / "trained"
    )  # the folder of the gradient-trained classifier; one that all processes reach
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 32  # images per call of an encoder
    keep_memory: bool = True  # of a batch for the next one (glibc): twice as fast

    names: Literal["ask", "join", "new"] = "join"  # spellings of equal fold that no artist has
    opted_out: Literal["protect", "refuse"] = "protect"  # files that say no to AI training
    trust_anchors: Path | None = None  # PEM: who may vouch for signers of Content Credentials
    sign_cert: Path | None = None  # PEM chain, the signer's certificate first; empty: unsigned
    sign_key: Path | None = None  # its private key, PEM
    sign_callback: str = ""  # "package.module:function" that signs, in place of a key file
    sign_prompt: bool = False  # say the prompt in the manifest, in place of its hash
    sign_training: Literal["notAllowed", "allowed"] = "notAllowed"  # of what was generated
    timestamp_url: str = ""  # of a timestamp authority (RFC 3161), for packs and signed pictures
    timestamp_roots: Path | None = None  # PEM: whose word counts for the time, its roots among them
    trustmark: Path | None = None  # a folder with its weights: generated pictures are watermarked
    generator: str = "starter"  # "starter", a hub's repository id, a folder; who draws pictures
    generator_dtype: Literal["float32", "float16", "bfloat16"] = "float32"  # half on accelerators
    generator_offload: Literal["none", "model", "sequential"] = "none"  # for little device memory
    generator_variant: str = ""  # of its files, such as "fp16"; empty: the plain ones
    generator_scheduler: str = ""  # a scheduler of diffusers; empty: the model's own
    generator_lora: str = ""  # a repository id, a folder or a .safetensors file
    most_drawings: Annotated[int, Field(ge=1)] = 100  # requests for pictures that may wait
    withhold_copies: bool = False  # generated near copies of works are not handed out

    job_lease_s: Annotated[float, Field(ge=1, le=3600)] = 30  # after it a silent worker is dead
    batch_time_limit_s: Annotated[int, Field(ge=60)] = 3600  # a batch that takes longer is ended
    most_lookup_batches: Annotated[int, Field(ge=1)] = 20  # that may wait
    database_pool: Annotated[int, Field(ge=1, le=200)] = 5  # connections a process keeps, server

    max_image_mb: Annotated[float, Field(gt=0)] = 64  # one file, as uploaded or on disk
    max_image_megapixels: Annotated[float, Field(gt=0)] = 100  # decoded: 4 bytes a pixel and more
    max_archive_mb: Annotated[float, Field(gt=0)] = 2048  # an uploaded archive, packed
    quota_works: dict[str, Annotated[int, Field(ge=0)]] = {}  # of tenants; "*": of all others
    quota_mb: dict[str, Annotated[float, Field(ge=0)]] = {}  # likewise, of the files of their works
    max_archive_files: Annotated[int, Field(ge=1)] = 100_000  # members of an uploaded archive

    case_days: dict[CaseKind, Annotated[int, Field(ge=1)]] = {}  # until cases of a kind are due
    document_days: Annotated[int, Field(ge=1, le=36_500)] = 365  # after closing documents go
    contact_days: Annotated[int, Field(ge=1, le=36_500)] = 365  # then how to reach a party goes
    case_lease_minutes: Annotated[int, Field(ge=1)] = 30  # that a case from the queue is kept

    host: str = "127.0.0.1"  # any other needs a key (`lawful keys create`), or `oidc_issuer`
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    oidc_issuer: str = ""  # of the OpenID provider whose tokens count; empty: keys alone do
    oidc_audience: str = ""  # what it writes into `aud` of the tokens for this service
    oidc_groups_claim: str = "groups"  # the claim of a token that lists groups
    oidc_roles: dict[str, Role] = {}  # of groups; those that are not named may do nothing
    oidc_tenants: dict[str, str] = {}  # of groups; empty: everybody belongs to `tenant`
    oidc_client_id: str = ""  # of this service at the provider: people log in with a browser
    oidc_client_secret: SecretStr | None = None  # it signs logins, and sessions without their own
    oidc_scopes: str = "openid profile email"  # asked for by a login; some have one for groups
    session_secret: SecretStr | None = None  # it signs the sessions of browsers
    rate_reads: str = "1200/minute"  # of a key, looking at what is there; none: any number
    rate_lookups: str = "120/minute"  # likewise, attributions and searches
    rate_writes: str = "120/minute"  # likewise, what changes something
    rate_works: str = "10000/minute"  # likewise, works that requests bring or ask about
    rate_tenant: Annotated[int, Field(ge=1)] = 10  # a tenant may do what so many callers may
    allowed_hosts: list[str] = []  # names a browser may use; addresses and localhost may be
    probe_hosts: list[str] = []  # names for `/healthz`, `/readyz` and `/metrics` alone
    webhook_hosts: list[str] = []  # of our own network, or without TLS, that may be told events
    log_format: Literal["console", "json"] = "console"  # of the log of every process
    traces: bool = False  # by OpenTelemetry, whose own variables say where they go
    debug: bool = False  # show where an unexpected error comes from

    @field_validator(
        "home",
        "qdrant_url",
        "storage_url",
        "profiles",
        "trained",
        "trust_anchors",
        "sign_cert",
        "sign_key",
        "timestamp_roots",
        "trustmark",
    )
    @classmethod
    def _without_tilde(cls, place: Place) -> Place:
        """Expand `~`, which a shell leaves alone within quotes and in `.env`."""
        if not str(place).startswith("~"):
            return place
        try:
            return type(place)(Path(place).expanduser())
        except RuntimeError as error:
            raise ValueError(str(error)) from None
