"""The gradient-trained classifier: three heads of artist codes on one trunk, by Adam.

- `coding`: what the heads say of an artist; `network`: the numbers, and how they answer;
- `trainer`: epochs of gradient descent, resumable (`run`); nothing else here imports torch;
- `checkpoint`, `card`: what is kept of a training; `cache`: vectors that were encoded before.

It is baseline B0 of `lawful evaluate` and, where switched on, a third voter
(`attribution.voters.trained`). Unlike the classifier of `attribution.arithmetic` it does not
forget exactly.
"""
