"""Is an image a copy of an indexed work, and where? From exact bytes to verified geometry.

`finder` asks in order and answers; `sketch` is what is kept of a work, `hashes` the perceptual
hashes and their bands, `geometry` lays an image on a work, `photometry` compares what both show,
`verification` makes a score of it, which must reach a frozen limit.
"""
