"""How good the answers are: the protocols of docs/evaluation.md on any labelled folder.

From files to figures, a module each:

- `works`: files become vectors, hashes and a digest of the data;
- `splits`: near-duplicates are grouped, then groups are indexed, calibrated on or asked for;
- `systems`, `baselines`: ours and what it is compared with, behind one Protocol;
- `scaling`: what is fitted on the calibration split, the same for every system;
- `outcomes`, `metrics`, `intervals`: what became of every query, its measures, how sure they are;
- `attacks`, `copies`: altered copies, and whether they are found;
- `protocol`: runs all of it.

Nothing here prints or draws; `api` does.
"""
