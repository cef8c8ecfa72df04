"""Complete Garment: the photo's pixels, laid out flat at any size, with the restored garment where they are hidden."""

from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.detail.transfer import MOST_SIDE, check_aspect
from ...igr_core.errors import IGRError
from ...igr_core.flatten.flat import FlatGarment, complete, difference
from ...igr_core.text import counted
from ..host.ui import note_entries, progress
from ..images import to_image, to_photos
from ..schema import schema, whole
from ..sockets import FlatSocket

_UNLIKE = 0.18
"""Largest difference from the photo's pixels of an image that was restored from them. Of 16 held-out garments, it is at
most 0.12 for their own image, and above 0.2 for 9 of 10 images of another garment."""
_REMEDY = (
    "connect the VAE Decode of the latent that was restored from this Flatten Garment, without another node between; "
    "if it was restored from noise, this may be right."
)


class IGRCompleteGarment(io.ComfyNode):
    """Put the photo's pixels and the restored garment together."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRCompleteGarment",
            display_name="Complete Garment",
            description="Combines the photo's own pixels, laid out flat at any size, with the restored garment, which "
            "is used only where no photo shows the garment.",
            search_aliases=["flat lay", "merge garment", "upscale garment"],
            inputs=[
                FlatSocket.Input("flat", tooltip="From Flatten Garment."),
                io.Image.Input("image", tooltip="The restored garment, from VAE Decode."),
                io.Int.Input(
                    "width", default=768, min=64, max=MOST_SIDE, step=8, tooltip="Width of the result in pixels."
                ),
                io.Int.Input(
                    "height", default=1024, min=64, max=MOST_SIDE, step=8, tooltip="Height of the result in pixels."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The finished garment on white."),
                io.Mask.Output(display_name="hidden", tooltip="The parts that come from the restored garment."),
                io.Mask.Output(display_name="mask", tooltip="The garment's opacity. Connect to Garment Finish."),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, flat: list[FlatGarment], image: Tensor, width: int, height: int) -> io.NodeOutput:
        """Complete every garment; image i shows garment i modulo the number of garments."""
        images = to_photos(image).cpu()
        if len(images) % len(flat):
            raise IGRError(
                f"The image input has {counted(len(images), 'image')}, but flat has {counted(len(flat), 'garment')}: "
                "connect the image that was restored from Flatten Garment's latent."
            )
        size = whole("width", width, 64, MOST_SIDE), whole("height", height, 64, MOST_SIDE)
        check_aspect(size, (images.shape[-1], images.shape[-2]))
        show, done = progress(len(images)), {}
        warnings: dict[int, str] = {}
        for first, garment in enumerate(flat):
            small = garment.laid_out((garment.maps[0].opacity.shape[-1], garment.maps[0].opacity.shape[-2]))
            laid = garment.laid_out(size)
            for number in range(first, len(images), len(flat)):
                done[number] = complete(laid, images[number]), laid.hidden, laid.opacity
                if difference(small, images[number]) > _UNLIKE:
                    label = f"Image {number + 1}" if len(images) > 1 else "The image"
                    warnings[number] = f"{label} does not look like the flat garment: {_REMEDY}"
                show(len(done))
        finished, hidden, opacity = zip(*(done[number] for number in range(len(images))), strict=True)
        notes = note_entries(cls, tuple(warnings[number] for number in sorted(warnings)))
        return io.NodeOutput(to_image(torch.stack(finished)), torch.cat(hidden), torch.cat(opacity), ui=notes)
