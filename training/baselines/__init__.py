"""Run other methods with their published weights, so that experiments can score them: `python -m training baseline`.

method.py             the interface of a method: settings, loading a photo, generating the garments of a batch
weights.py            published files: where they are, under which licence, and how they become networks
square_diffusion.py   shared by both versions of TryOffDiff: squares, SigLIP tokens, adapter, sampling
tryoffdiff.py         TryOffDiff (arXiv 2411.18350)
tryoffdiff_v2.py      TryOffDiff v2 (arXiv 2504.13078): several categories
tryoffanyone.py       TryOffAnyone (arXiv 2412.08573)
garment_masks.py      the masks of TryOffAnyone, from a folder or a human parser
background.py         RMBG-1.4, which removes the background of TryOffAnyone's images
running.py            restores a whole data set in batches; can be resumed

Each method follows its authors' public code, including that code's peculiarities; docs/evaluation.md has the evidence.
"""
