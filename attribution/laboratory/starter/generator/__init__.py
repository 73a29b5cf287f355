"""How the bundled generator was made: `lawful train-starter --generator` runs `training`.

It is a toy. Its point is that its whole training set is known (`training_set.json` beside the
weights) and, once the example portfolio is ingested, indexed.
"""
