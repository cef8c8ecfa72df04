"""Flatten Garment: lay out a worn garment flat, from the photo's own pixels."""

from __future__ import annotations

import functools
from typing import Any

import torch
from comfy_api.latest import io

from ...igr_core.detail.report import describe, numbered, seen_fraction
from ...igr_core.detail.warping import source_photos
from ...igr_core.errors import IGRError
from ...igr_core.flatten.flat import check_flattens, flat_garments, kept_cells
from ...igr_core.flatten.model_file import load_flattener
from ...igr_core.flatten.network import Flattener
from ...igr_core.included import INCLUDED_FLATTENER
from ...igr_core.photo.view import GarmentView
from ..host.encoding import SHOWN, Reference, check_view
from ..host.locking import after_click
from ..host.networks import check_vae
from ..host.ui import preview
from ..images import to_image
from ..schema import schema
from ..sockets import FlatSocket, ReferenceSocket, ViewSocket
from .evidence import photos_of


class IGRFlattenGarment(io.ComfyNode):
    """Lay out garments flat, and make a latent to start from."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRFlattenGarment",
            display_name="Flatten Garment",
            description="Lays out the garment in a photo flat, from the photo's own pixels, so that patterns and "
            "lettering are preserved. From its latent, IGR Sample invents only what the photo does not show.",
            search_aliases=["flat lay", "unwarp garment", "own pixels", "pattern", "lettering"],
            inputs=[
                ReferenceSocket.Input("reference", tooltip="From GarmNet Encode, or from Combine References."),
                ViewSocket.Input("view", tooltip="The view that the reference was encoded from."),
                io.Vae.Input("vae", tooltip="From IGR Load."),
            ],
            outputs=[
                FlatSocket.Output(display_name="flat", tooltip="Connect to Complete Garment."),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="The flat garment, with a noise mask for what is hidden. Connect to IGR Sample, with a "
                    "denoise of 0.5.",
                ),
                io.Image.Output(
                    display_name="image", tooltip="The flat garment on white, with smooth colours where it is hidden."
                ),
                io.Mask.Output(display_name="hidden", tooltip="The parts of the garment that no photo shows."),
                io.Float.Output(
                    display_name="visible", tooltip="Fraction of the first garment that was visible, 0 to 1."
                ),
                io.String.Output(display_name="report", tooltip="One sentence per garment."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, reference: Reference, view: GarmentView, vae: Any) -> io.NodeOutput:
        """Lay out every garment, and encode it."""
        height, width = view.person.shape[-2:]
        check_flattens(_network(), (width, height))
        check_vae(vae, reference.config.vae, reference.vae_weights)
        f = reference.config.vae.downscale
        if (height, width) != (reference.latent_shape[2] * f, reference.latent_shape[3] * f):
            raise IGRError(
                f"The view is {width}x{height}, but the reference was encoded at {reference.latent_shape[3] * f}x"
                f"{reference.latent_shape[2] * f}: connect the view that the reference was encoded from."
            )
        check_view(reference, view)
        count = reference.latent_shape[0]
        photos = photos_of(view, count, reference.photos)
        flat = flat_garments(_network(), source_photos(view), [reference.category] * count, photos)
        laid = [garment.laid_out((width, height)) for garment in flat]
        image = torch.stack([one.image for one in laid])
        after_click()
        latent = {
            "samples": vae.encode(image.movedim(1, -1)),
            "noise_mask": 1 - kept_cells(laid, f),
            SHOWN: reference.shown,
        }
        sentences = numbered([describe(one.shown, one.opacity) for one in laid])
        shown, report = to_image(image), "\n".join(sentences)
        hidden = torch.cat([one.hidden for one in laid])
        visible = seen_fraction(laid[0].shown, laid[0].opacity)
        return io.NodeOutput(flat, latent, shown, hidden, visible, report, ui=preview(cls, [shown], text=report))


@functools.cache
def _network() -> Flattener:
    """The included network; it is small, so it stays on the CPU."""
    return load_flattener(INCLUDED_FLATTENER)
