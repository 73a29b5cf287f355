"""The model card that lies beside the weights: Markdown, for people."""

from __future__ import annotations

from collections.abc import Sequence

from attribution.training.checkpoint import Compared, Facts

FORGETTING = """\
Gradient training does not forget exactly. When a work is withdrawn, its artist is no longer named
once no work of theirs is left, and the receipt says that these weights have seen it; what the work
did to them stays until they are trained again or deleted. The collection's own classifier, a sum
over works, forgets exactly (docs/withdrawal.md)."""


def card(facts: Facts) -> str:
    """Return the card of a classifier."""
    reasons = "".join(f"; {count} left out: {why}" for why, count in facts.left_out.items())
    recipe = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.recipe.items())
    return f"""\
# Artist classifier

Three heads of artist codes on one hidden layer, over the vectors of profile `{facts.profile}`
({", ".join(f"{name} {width}" for name, width in sorted(facts.dims.items()))}; encoders
`{facts.fingerprint[:12]}`). Trained {facts.created_at[:10]} by `lawful train classifier`.

- **For**: one voter of attributions next to others (`LAWFUL_VOTERS`), and baseline B0 of
  `lawful evaluate`. It names one of its {len(facts.artists)} artists for any image, also for images
  by nobody among them: its shares are not probabilities of authorship.
- **Training works**: {len(facts.works)} works by {len(facts.artists)} artists;
  {_plain(facts.data)}{reasons}. `classifier.json` lists the works' ids.
- **How**: {recipe}; {len(facts.epochs)} epochs tried, {facts.works_per_s:,.0f} works/s;
  temperature {facts.temperature:.3g}.

## Compared with the other voters

On {facts.held_out} works of held-out lineages, which no voter had seen. Enable the voter where it
is better; figures of a few hundred works differ by chance alone.

{table(facts.compared)}

## Limits

{FORGETTING}
"""


def table(compared: Sequence[Compared]) -> str:
    """Return the comparison as a table in Markdown."""
    rows = [
        f"| {one.voter} | {one.top1:.3f} | {one.macro_recall:.3f} | {one.ece:.3f} |"
        for one in compared
    ]
    return "\n".join(["| voter | top-1 | macro recall | ECE |", "|---|---|---|---|", *rows])


def _plain(text: str) -> str:
    """Return text from outside so that it stays text in Markdown."""
    return text.replace("`", "'").replace("<", "‹").replace("\n", " ")
