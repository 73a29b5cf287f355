"""Profiles: named lists of encoders. A collection belongs to one, by its encoders' fingerprint.

Those of the package stand in `profiles.toml`, a user's own in the file that LAWFUL_PROFILES names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from attribution.config import Settings
from attribution.encoders.clip import ClipSpec
from attribution.encoders.csd import CsdSpec
from attribution.encoders.encoder import voting
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.palette import PaletteSpec
from attribution.encoders.runtimes import Runtime
from attribution.encoders.stub import StubEncoder
from attribution.encoders.timm_model import TimmSpec
from attribution.encoders.torchscript import TorchScriptSpec
from attribution.encoders.tuned import Tuned
from attribution.encoders.vae import VaeSpec
from attribution.errors import BadInput

STARTER = Path(str(files("attribution.starter")))
BUILT_IN = Path(__file__).with_name("profiles.toml")
STUB = "stub"
FREE = frozenset(  # licences of weights that need no acceptance
    {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "ISC", "MIT"}
)

AnySpec = Annotated[
    ClipSpec | VaeSpec | TimmSpec | TorchScriptSpec | CsdSpec | PaletteSpec,
    Field(discriminator="kind"),
]


class Profile(BaseModel):
    """What a profile is for, and its encoders: none of their vectors has the name of another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Annotated[str, Field(min_length=1)]
    encoders: Annotated[tuple[AnySpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_vector_a_name(self) -> Self:
        names = [name for spec in self.encoders for name in spec.lanes]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(
                f"two encoders give a vector {min(twice)!r}; name that of one with `vector`"
            )
        if not voting({name: lane for spec in self.encoders for name, lane in spec.lanes.items()}):
            raise ValueError("none of its vectors names artists; one of content or style must")
        return self

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences of its weights."""
        return tuple(sorted({spec.license for spec in self.encoders}))


def known_profiles(settings: Settings) -> dict[str, Profile]:
    """Return the profiles of the package and of the user; raises BadInput for a file with errors.

    A profile that `extends` another has its encoders, and then its own.
    """
    tables = {name: (table, BUILT_IN) for name, table in _tables(BUILT_IN).items()}
    if settings.profiles is not None:
        own = _tables(settings.profiles)
        if taken := tables.keys() & own.keys():
            raise BadInput(
                f"{settings.profiles}: {min(taken)!r} is a profile of the package; choose another "
                f"name, `extends = {min(taken)!r}` begins with its encoders"
            )
        tables |= {name: (table, settings.profiles) for name, table in own.items()}
    return {name: _profile(name, tables) for name in tables}


def find_profile(settings: Settings, name: str) -> Profile:
    """Return a profile; raises BadInput for a name that there is not, with those that there are."""
    known = known_profiles(settings)
    if name not in known:
        raise BadInput(
            f"no profile {name!r}; known: {', '.join(known)}; profiles of your own stand in a TOML "
            f"file that LAWFUL_PROFILES names (docs/models.md)"
        )
    return known[name]


def load_encoders(
    settings: Settings, profile: str | None = None, *, tried: Runtime | None = None
) -> EncoderSet:
    """Return the encoders of a profile, of LAWFUL_PROFILE by default; weights load on first use.

    "stub" is for tests. What `lawful tune` chose for them is used, or the runtime that is `tried`.
    Raises BadInput for a profile that there is not, and for weights under a licence that may forbid
    a use and was not accepted.
    """
    name = settings.profile if profile is None else profile
    if name == STUB:
        return EncoderSet([StubEncoder()])
    chosen = find_profile(settings, name)
    for spec in chosen.encoders:
        if spec.license not in {*FREE, *settings.accept_licences}:
            raise BadInput(
                f"{spec.name} of profile {name!r} is under the licence {spec.license!r}, which may "
                f"forbid what you do, such as commercial use: read it, and name it in "
                f"LAWFUL_ACCEPT_LICENCES to accept it"
            )
    tuned = Tuned(settings.home, settings.device, tried)
    return EncoderSet([spec.encoder(settings.device, tuned) for spec in chosen.encoders])


def models_of(settings: Settings) -> tuple[str, ...]:
    """Return what people call the models of LAWFUL_PROFILE; nothing is loaded. Raises BadInput."""
    if settings.profile == STUB:
        return (STUB,)
    return tuple(spec.name for spec in find_profile(settings, settings.profile).encoders)


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path}: {error}; docs/models.md shows a file of profiles") from None


def _profile(
    name: str, tables: Mapping[str, tuple[Any, Path]], below: tuple[str, ...] = ()
) -> Profile:
    table, path = tables[name]
    where = f"{path}: profile {name!r}"
    if not isinstance(table, dict):
        raise BadInput(f"{where} is no table; docs/models.md shows a file of profiles")
    fields = dict(table)
    base = fields.pop("extends", None)
    if base is not None:
        if base not in tables or base in {name, *below}:
            others = ", ".join(tables.keys() - {name, *below})
            raise BadInput(f"{where} extends {base!r}; it may extend one of {others}")
        inherited = _profile(base, tables, (name, *below)).encoders
    try:
        made = Profile.model_validate(fields, context={"folder": path.parent})
        if base is None:
            return made
        return Profile(description=made.description, encoders=(*inherited, *made.encoders))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise BadInput(
            f"{where}: {at + ': ' if at else ''}{first['msg']}; docs/models.md shows the fields"
        ) from None
