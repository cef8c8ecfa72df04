"""Transfer Details: move the photo's own pixels onto the restored garment."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.detail.evidence import Evidence
from ...igr_core.detail.transfer import MOST_SIDE, Transfer, transfer_details
from ...igr_core.detail.warping import source_photos
from ...igr_core.errors import IGRError
from ...igr_core.photo.view import GarmentView
from ...igr_core.restore.background_removal import garment_alpha
from ...igr_core.text import counted
from ..host.ui import progress
from ..images import to_image, to_photos
from ..schema import advanced, schema, whole
from ..sockets import EvidenceSocket, ViewSocket
from .evidence import photos_of

_SAME = 0.8
"""Least overlap (intersection over union) of an image's cells with those of its evidence."""


class IGRTransferDetails(io.ComfyNode):
    """Enlarge a garment with the photo's detail."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRTransferDetails",
            display_name="Transfer Details",
            description="Enlarges a restored garment and moves lettering, logos and weave from the photo onto it, "
            "wherever Garment Evidence found them in the photo. The restored garment keeps its own colour and shading.",
            search_aliases=["detail transfer", "sharpen garment", "logo", "lettering", "upscale garment"],
            inputs=[
                io.Image.Input("image", tooltip="The restored garment, from VAE Decode."),
                EvidenceSocket.Input("evidence", tooltip="From Garment Evidence."),
                ViewSocket.Input("view", tooltip="The view connected to Garment Evidence."),
                io.Int.Input(
                    "width", default=768, min=64, max=MOST_SIDE, step=8, tooltip="Width of the result in pixels."
                ),
                io.Int.Input(
                    "height", default=1024, min=64, max=MOST_SIDE, step=8, tooltip="Height of the result in pixels."
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the photo's detail to use; 0 only enlarges the image.",
                ),
                advanced(
                    io.Float.Input,
                    "feather",
                    default=0.01,
                    min=0.0,
                    max=0.2,
                    step=0.005,
                    tooltip="Width of the transition around the moved parts, as a fraction of the image's height.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The garment with the photo's details."),
                io.Mask.Output(display_name="moved", tooltip="How much of each pixel comes from the photo, 0 to 1."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        evidence: list[Evidence],
        view: GarmentView,
        width: int,
        height: int,
        strength: float,
        feather: float = 0.01,
    ) -> io.NodeOutput:
        """Transfer the details of every garment."""
        images = to_photos(image).cpu()
        if len(images) != len(evidence):
            raise IGRError(
                f"The image input has {counted(len(images), 'image')}, but the evidence is for {len(evidence)}: "
                "connect the image that Garment Evidence uses."
            )
        size = whole("width", width, 64, MOST_SIDE), whole("height", height, 64, MOST_SIDE)
        alphas = garment_alpha(images)
        _check_shown(evidence, alphas)
        sources = source_photos(view)
        photos = photos_of(view, len(images), len(evidence[0].flows))
        settings, show = Transfer(strength, feather), progress(len(images))
        done = []
        for number, (one, alpha) in enumerate(zip(images, alphas, strict=True)):
            chosen = [sources[photo] for photo in photos[number]]
            done.append(transfer_details(one, alpha, evidence[number], chosen, size, settings))
            show(number + 1)
        results, moved = (torch.stack(parts) for parts in zip(*done, strict=True))
        return io.NodeOutput(to_image(results), moved[:, 0])


def _check_shown(evidence: Sequence[Evidence], alphas: Tensor) -> None:
    """Raise IGRError if garments with the opacity `alphas` (B, 1, H, W) are not those of the evidence.

    The evidence is positive on the cells of its own garment.
    """
    for number, (one, alpha) in enumerate(zip(evidence, alphas, strict=True)):
        own = one.in_photo.amax(0) > 0
        shown = F.interpolate(alpha[None], own.shape, mode="area")[0, 0] > 0
        if bool(own.any()) and float((own & shown).sum()) < _SAME * float((own | shown).sum()):
            label = f"Image {number + 1}" if len(alphas) > 1 else "The image"
            raise IGRError(
                f"{label} does not show the garment of the evidence at the same place: connect the image that is "
                "connected to Garment Evidence."
            )
