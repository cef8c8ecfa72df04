"""Garment Evidence: which parts of a restored garment were visible in a photo, and which were invented."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.detail.evidence import UNFITTED, Evidence, cell_opacity, find_evidence
from ...igr_core.detail.heads import chosen_readout
from ...igr_core.detail.report import describe, draw_evidence, evidence_map, numbered, seen_fraction
from ...igr_core.errors import IGRError
from ...igr_core.photo.view import GarmentView
from ...igr_core.restore.background_removal import garment_alpha
from ...igr_core.text import counted
from ..host.blocks import transformer_blocks
from ..host.encoding import TAKEN
from ..host.networks import check_denoiser
from ..host.sampling import read_attention
from ..host.ui import preview
from ..images import to_image, to_photos
from ..schema import schema
from ..sockets import Adapter, AdapterSocket, EvidenceSocket, ViewSocket

_ALIKE = 0.7
"""Least likeness of an image to its latent.

Among 24 held-out garments, encoded with igr-small's VAE, the lowest is 0.89; with another garment's latent, 9 of 10
are below 0.67.
"""
_EVEN = 1e-3
"""Variance of an image, added over its channels, below which it is even: a white garment on white has no colours to
compare."""


class IGRGarmentEvidence(io.ComfyNode):
    """Read the attention of restored garments, and show which of their parts were visible in a photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRGarmentEvidence",
            display_name="Garment Evidence",
            description="Shows which parts of a restored garment were visible in the photo and which were invented. "
            "Works with the output of any sampler, and takes about as long as three steps without guidance.",
            search_aliases=["evidence", "confidence map", "hallucination", "quality gate", "invented parts"],
            inputs=[
                AdapterSocket.Input("adapter", tooltip="From IGR Load."),
                io.Model.Input("model", tooltip="From IGR Apply."),
                io.Conditioning.Input("positive", tooltip="From IGR Apply."),
                io.Latent.Input("latent", tooltip="The restored latent, from IGR Sample."),
                io.Image.Input("image", tooltip="The restored garment, from VAE Decode."),
                ViewSocket.Input(
                    "view", tooltip="From Garment Mask/Crop, or from Combine References for several photos."
                ),
            ],
            outputs=[
                EvidenceSocket.Output(
                    display_name="evidence", tooltip="Connect to Transfer Details or Rank Candidates."
                ),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="Probability that each pixel of the garment was visible in the photo; 0 outside the "
                    "garment.",
                ),
                io.Image.Output(display_name="overlay", tooltip="The garment with its invented parts in magenta."),
                io.Float.Output(
                    display_name="visible", tooltip="Fraction of the first garment that was visible, 0 to 1."
                ),
                io.String.Output(display_name="report", tooltip="One sentence per garment."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, adapter: Adapter, model: Any, positive: Any, latent: dict[str, Any], image: Tensor, view: GarmentView
    ) -> io.NodeOutput:
        """Read, draw and describe the evidence."""
        images = to_photos(image).cpu()
        evidence = find(adapter, model, positive, latent, images, view)
        alphas = garment_alpha(images)
        maps = [evidence_map(one, alpha) for one, alpha in zip(evidence, alphas, strict=True)]
        drawn = torch.stack([draw_evidence(*parts) for parts in zip(images, maps, alphas, strict=True)])
        sentences = numbered([describe(visible, alpha) for visible, alpha in zip(maps, alphas, strict=True)])
        report, overlay = "\n".join(sentences), to_image(drawn)
        return io.NodeOutput(
            evidence,
            torch.cat(maps),
            overlay,
            seen_fraction(maps[0], alphas[0]),
            report,
            ui=preview(cls, [overlay], _image_warnings(latent["samples"], images), report),
        )


def _image_warnings(samples: Tensor, images: Tensor) -> tuple[str, ...]:
    """A sentence for each image (B, 3, H, W) that does not look like its latent (B, C, h, w)."""
    return tuple(
        f"{f'Image {number}' if len(images) > 1 else 'The image'} does not look like its latent: connect the VAE "
        "Decode of the latent that is connected to this node."
        for number, (latent, image) in enumerate(zip(samples, images, strict=True), 1)
        if likeness(latent, image) < _ALIKE
    )


def likeness(latent: Tensor, image: Tensor) -> float:
    """Fraction of the variance of an image (3, H, W) that a linear function of its latent (C, h, w) explains, cell by
    cell; 1 for an even image."""
    colours = F.interpolate(image[None], latent.shape[-2:], mode="area")[0].flatten(1).T
    known = torch.cat([latent.float().cpu().flatten(1).T, torch.ones(len(colours), 1)], 1)
    spread = float((colours - colours.mean(0)).square().sum())
    rest = float((known @ torch.linalg.lstsq(known, colours).solution - colours).square().sum())
    return 1.0 if spread < _EVEN * len(colours) else 1 - rest / spread


def find(
    adapter: Adapter, model: Any, positive: Any, latent: dict[str, Any], images: Tensor, view: GarmentView
) -> list[Evidence]:
    """The evidence for B restored garments, given as a LATENT (B, C, h, w) and as images (B, 3, H, W).

    Image i shows garment i modulo the number of garments in the view.
    """
    samples = latent["samples"]
    if not bool(samples.any()):
        raise IGRError("The latent is empty: connect the latent of IGR Sample.")
    if len(samples) != len(images):
        raise IGRError(
            f"The image input has {counted(len(images), 'image')}, but the latent has {len(samples)}: connect the "
            "latent that was decoded."
        )
    config, count = adapter.config, len(samples)
    check_denoiser(model, config, adapter.key)
    read = read_attention(
        model,
        positive,
        samples,
        chosen_readout(adapter.info, list(transformer_blocks(config.denoiser)), (samples.shape[2], samples.shape[3])),
    )
    numbers = latent.get("batch_index") or range(count)
    if len(view.person) > read.photos and list(numbers) != list(range(count)):
        raise IGRError(TAKEN)
    photos = photos_of(view, count, read.photos)
    found = read.correspondences([view.mask[list(numbers)] for numbers in photos])
    coefficients = UNFITTED if adapter.info.detail is None else adapter.info.detail.evidence
    width, height = (side * config.vae.downscale for side in (samples.shape[3], samples.shape[2]))
    return [
        find_evidence(one, cell_opacity(alpha, one), width / height, coefficients)
        for one, alpha in zip(found, garment_alpha(images), strict=True)
    ]


def photos_of(view: GarmentView, count: int, each: int) -> list[tuple[int, ...]]:
    """For each of `count` images, the indices of its photos in the view; every garment has `each` photos.

    The view contains the first photo of every garment, then the second photo of every garment, and so on. Raises
    IGRError if the number of photos in the view does not match the images.
    """
    garments, rest = divmod(len(view.person), each)
    if rest or garments == 0 or count % garments:
        raise IGRError(
            f"The view, with {counted(len(view.person), 'photo')}, does not match {counted(count, 'image')}: connect "
            "the view that the images were restored from."
        )
    return [tuple(range(number % garments, len(view.person), garments)) for number in range(count)]
