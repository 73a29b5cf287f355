"""Pictures from words, each with the artists whose work it resembles.

`pipelines` opens any diffusers text-to-image pipeline, `diffusion` asks it, `references` attributes
what comes out; `starter` made the small generator that is bundled.
"""
