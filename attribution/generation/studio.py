"""The use case: words in, pictures out, each with the artists whose work it resembles.

A picture that others are made from is looked at in the same way, before anything is drawn.

A generated picture is looked at as any other is: decoded from its file and attributed. That is also
why its vectors come from the file and never from the latent that it was decoded from (ADR 0014).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from PIL import Image
from sqlalchemy.orm import Session, sessionmaker

from attribution.answers import Attribution, Reason, Verdict
from attribution.catalogue import queries
from attribution.catalogue.nobody import is_nobody
from attribution.collection import Stores
from attribution.consents import Answer, ConsentPurpose
from attribution.custody import How
from attribution.errors import BadInput, NotAllowed
from attribution.generation.generator import (
    LARGEST_SIDE_PX,
    SIDE_STEP_PX,
    Drawn,
    Generator,
    GeneratorInfo,
    ImageRequest,
)
from attribution.generation.given import OTHER, Given, Objection, check_file, objection_to
from attribution.generation.seal import Seal
from attribution.generation.watermarks import Watermarker, new_payload
from attribution.images import ImageFacts, State, read_image
from attribution.lookup import wording
from attribution.lookup.attributor import Attributor
from attribution.lookup.subjects import Obtained, keeping
from attribution.provenance.claim import Parent, SoftBinding
from attribution.provenance.identifiers import image_binding

ISCC = "io.iscc.v0"  # as C2PA lists it
LONGEST_NAME = 5  # words of an artist's name that is looked for in a prompt
LONGEST_PROMPT = 2_000  # characters; models read the first few hundred
MOST_PICTURES = 64
MOST_STEPS = 1_000
MOST_GUIDANCE = 100


class Consent(StrEnum):
    """What an artist says of generation, over all works that can be found."""

    YES = "yes"
    IN_PART = "in part"  # for some works
    NO = "no"
    ASK = "ask"  # first
    UNASKED = "unasked"  # nothing was said, so nothing is granted


class Withheld(StrEnum):
    """Why a picture is not handed out."""

    COPY = "copy"  # of an indexed work, and the settings say so
    SAFETY = "safety checker"  # of the model itself


@dataclass(frozen=True)
class Reference:
    """An artist whom a picture's answer names."""

    slug: str
    name: str
    consent: Consent
    is_resembled: (
        bool  # not merely listed: the picture lies on a work of theirs, or they are likely
    )

    @property
    def may_be_named(self) -> bool:
        """Whether the picture may be shown with this name: it resembles one who agreed."""
        return self.is_resembled and self.consent is Consent.YES


@dataclass(frozen=True)
class Picture:
    """One picture, with whom it resembles; without bytes when it is withheld."""

    seed: int
    png: bytes | None
    sha256: str | None  # of the PNG, withheld or not, and signed where it is
    attribution: Attribution | None
    references: tuple[Reference, ...]  # in the order of the attribution
    withheld: Withheld | None
    facts: ImageFacts | None = None  # of the picture before it was signed
    watermark: str | None = None  # the bits that are hidden in it

    @property
    def warnings(self) -> Iterator[str]:
        """Say what the operator has to know before the picture goes anywhere."""
        if self.withheld is Withheld.SAFETY:
            yield "withheld: the model's own safety checker refused this picture"
        if self.attribution and (work := self.attribution.laid_on):
            kept = "; withheld" if self.withheld else ""
            whose = "an unknown artist" if is_nobody(work.name) else work.name
            yield f"near copy of “{work.title or work.id}” by {whose}{kept}"
        if said := not_to_be_named(self.references):
            yield said


@dataclass(frozen=True)
class MadeFrom:
    """The picture that others were made from, with whose work it shows or resembles."""

    answer: Attribution
    references: tuple[Reference, ...]
    objection: Objection | None  # of now

    @property
    def summary(self) -> str:
        """Say which picture it was, and what was found of it."""
        return wording.made_from(self.answer)

    @property
    def warnings(self) -> Iterator[str]:
        """Say what the operator has to know of that picture."""
        if self.objection:
            yield self.objection.says
        if said := not_to_be_named(self.references):
            yield f"the picture that was given {said}"

    def check(self, *, withholds_copies: bool) -> None:
        """Raise NotAllowed where a picture is not to be made from it."""
        if self.objection and (self.objection.is_said or withholds_copies):
            raise NotAllowed(f"{self.objection.says}; {OTHER}")


@dataclass(frozen=True)
class Named:
    """A registered artist whose name is among the words of a prompt."""

    slug: str
    name: str
    consent: Consent


@dataclass(frozen=True)
class Generation:
    """All pictures of one request, and what made them."""

    generator: GeneratorInfo
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = field(default=())
    made_from: MadeFrom | None = None


@dataclass(frozen=True)
class Studio:
    """Draws, and attributes what was drawn."""

    generator: Generator
    attributor: Attributor
    stores: Stores
    withholds_copies: bool
    load_seal: Callable[[], Seal | None]  # asked before every request: certificates run out
    watermarker: Watermarker | None

    def draw(
        self,
        request: ImageRequest,
        *,
        on_step: Callable[[int, int], None],
        generation_id: UUID | None = None,
        given: Given | None = None,
    ) -> Generation:
        """Draw and attribute `request.count` pictures, made from a given one if there is one.

        `on_step`: see `generator.Generator`; `generation_id`: of what is kept of the request, if
        anything is. Raises BadInput, ModelUnavailable, NotAllowed for a given picture that is not
        to be used, and BackendUnavailable where what holds the signing key does not answer.
        """
        check_request(request, is_given=given is not None)
        seal = self.load_seal()
        if seal and given:
            seal = replace(seal, parent=_parent(given, request))
        if self.watermarker:
            self.watermarker.load()
        made_from = self._made_from(given) if given else None
        image = given.image.rgb if given else None
        drawing = self.generator.generate(request, on_step=on_step, given=image)
        pictures = tuple(
            self._looked_at(drawn, request, seal, Obtained(How.GENERATED, None, generation_id, n))
            for n, drawn in enumerate(drawing.pictures)
        )
        return Generation(self.generator.info, pictures, drawing.notes, made_from)

    def _made_from(self, given: Given) -> MadeFrom:
        check_file(given.image.facts)
        keep = keeping(self.stores, given.image, lambda: given.data, given.obtained)
        found = made_from(self.stores, self.attributor.attribute(given.image, also=keep))
        found.check(withholds_copies=self.withholds_copies)
        return found

    def _looked_at(
        self, drawn: Drawn, request: ImageRequest, seal: Seal | None, obtained: Obtained
    ) -> Picture:
        if drawn.image is None:
            return Picture(drawn.seed, None, None, None, (), Withheld.SAFETY)
        rgb, watermark, bindings = self._marked(drawn.image)
        png = _png(rgb)
        image = read_image(png, self.stores.limits)
        keep = keeping(self.stores, image, lambda: png, obtained)
        answer = self.attributor.attribute(image, also=keep)
        withheld = Withheld.COPY if answer.laid_on and self.withholds_copies else None
        references = references_of(self.stores.sessions, answer)
        if seal is not None:
            png = seal.put(
                png,
                info=self.generator.info,
                prompt=request.prompt,
                seed=drawn.seed,
                answer=_naming(answer, [one.slug for one in references if one.may_be_named]),
                bindings=[SoftBinding(ISCC, image_binding(rgb)), *bindings],
            )
        return Picture(
            seed=drawn.seed,
            png=None if withheld else png,
            sha256=hashlib.sha256(png).hexdigest(),
            attribution=answer,
            references=references,
            withheld=withheld,
            facts=image.facts,
            watermark=watermark,
        )

    def _marked(self, image: Image.Image) -> tuple[Image.Image, str | None, list[SoftBinding]]:
        """Return what is looked at, signed and handed out: with a watermark, if there is one."""
        marker = self.watermarker
        if marker is None:
            return image, None, []
        payload = new_payload(marker.capacity)
        binding = SoftBinding(marker.algorithm, marker.binding(payload), is_embedded=True)
        return marker.embed(image, payload), payload, [binding]


def _naming(answer: Attribution, slugs: Collection[str]) -> Attribution:
    """Return an answer that names these artists alone."""
    return replace(answer, artists=tuple(one for one in answer.artists if one.slug in slugs))


def _parent(given: Given, request: ImageRequest) -> Parent:
    """Return a given picture as a manifest names it."""
    facts = given.image.facts
    has_manifest = facts.credentials.state is not State.ABSENT
    return Parent(
        facts.sha256,
        Image.MIME.get(facts.format, "application/octet-stream"),
        request.strength,
        given.data if has_manifest else None,
    )


def made_from(stores: Stores, answer: Attribution) -> MadeFrom:
    """Return what is to be said now of a picture that others are made from, by an answer to it."""
    references = references_of(stores.sessions, answer)
    return MadeFrom(answer, references, objection_to(stores, answer))


def references_of(sessions: sessionmaker[Session], answer: Attribution) -> tuple[Reference, ...]:
    """Return the artists that an answer names, with what they say of generation now."""
    work = answer.laid_on
    names = {work.slug: work.name} if work and not is_nobody(work.name) else {}
    if answer.reasons != (Reason.LOW_QUALITY,):  # else it shows too little to be compared
        names |= {artist.slug: artist.name for artist in answer.artists}
    with sessions() as session:
        said = _consents(session, list(names))
    resembled = _resembled(answer)
    return tuple(
        Reference(slug, name, said[slug], slug in resembled) for slug, name in names.items()
    )


def not_to_be_named(references: Sequence[Reference]) -> str | None:
    """Say whom a picture resembles that must not be credited; None where there is nobody."""
    silent = [one.name for one in references if one.is_resembled and not one.may_be_named]
    if not silent:
        return None
    return (
        f"resembles work by {', '.join(silent)}, who said no to generation or was never "
        f"asked: do not credit them"
    )


def named_in(sessions: sessionmaker[Session], prompt: str) -> tuple[Named, ...]:
    """Return the artists whose names, of LONGEST_NAME words at most, a prompt has, and consents."""
    words = prompt.split()
    lengths = range(1, min(LONGEST_NAME, len(words)) + 1)
    phrases = {
        " ".join(words[at : at + length])
        for length in lengths
        for at in range(len(words) - length + 1)
    }
    with sessions() as session:
        known = queries.known_spellings(session, phrases)
        names = {one.slug: one.artist for theirs in known.values() for one in theirs if one.slug}
        said = _consents(session, list(names))
    return tuple(
        Named(slug, name, said[slug]) for slug, name in sorted(names.items()) if not is_nobody(name)
    )


def _resembled(answer: Attribution) -> set[str]:
    """Return whom an answer does not merely list: on whose work the image lies, who is likely."""
    laid_on = {answer.laid_on.slug} if answer.laid_on else set()
    if answer.confidence and answer.verdict is Verdict.ABSTAIN:
        return laid_on
    return laid_on | {
        one.slug for one in answer.artists if one.is_likely or one.probability is None
    }


def check_request(request: ImageRequest, *, is_given: bool) -> None:
    """Raise BadInput for what no model can follow, before anything is loaded or queued."""
    _check_strength(request.strength, is_given=is_given)
    if not request.prompt.strip():
        raise BadInput("the prompt is empty; say what to draw")
    for name, text in (("prompt", request.prompt), ("negative prompt", request.negative_prompt)):
        if len(text) > LONGEST_PROMPT:
            raise BadInput(
                f"the {name} has {len(text)} characters; {LONGEST_PROMPT} are taken at most, and "
                f"models read the first few hundred"
            )
    for name, side in (("width", request.width), ("height", request.height)):
        if side is not None and (side % SIDE_STEP_PX or not 0 < side <= LARGEST_SIDE_PX):
            raise BadInput(
                f"{name} {side}: give a multiple of {SIDE_STEP_PX} pixels, up to {LARGEST_SIDE_PX}"
            )
    if not 1 <= request.count <= MOST_PICTURES:
        raise BadInput(f"{request.count} pictures: give 1 to {MOST_PICTURES}")
    if request.steps is not None and not 1 <= request.steps <= MOST_STEPS:
        raise BadInput(f"{request.steps} steps: give 1 to {MOST_STEPS}")
    if request.guidance is not None and not 0 <= request.guidance <= MOST_GUIDANCE:
        raise BadInput(f"guidance {request.guidance}: give 0 to {MOST_GUIDANCE}")
    if not 0 <= request.seed < 2**32:
        raise BadInput(f"seed {request.seed}: give 0 to {2**32 - 1}")


def _check_strength(strength: float | None, *, is_given: bool) -> None:
    if strength is None:
        return
    if not is_given:
        raise BadInput(f"strength {strength:g} without a picture to begin with: give one")
    if not 0 < strength <= 1:
        raise BadInput(
            f"strength {strength:g}: give more than 0 (near the given picture) up to 1 (hardly "
            f"anything of it)"
        )


def _consents(session: Session, slugs: Sequence[str]) -> dict[str, Consent]:
    """Return what artists say of generation: by what their works grant, else by what was said."""
    counted = queries.consenting_works(session, slugs, purpose=ConsentPurpose.GENERATE)
    said = queries.answers_of_artists(session, slugs, ConsentPurpose.GENERATE)
    return {one: _consent(*counted.get(one, (0, 0)), said.get(one, set())) for one in slugs}


def _consent(granted: int, works: int, said: Collection[Answer]) -> Consent:
    if granted:
        return Consent.YES if granted == works else Consent.IN_PART
    if Answer.DENY in said:
        return Consent.NO
    return Consent.ASK if Answer.ASK in said else Consent.UNASKED


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
