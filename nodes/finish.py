"""Garment Finish: the restored garment, laid out for the next step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ..igr_core.errors import IGRError
from ..igr_core.photo.view import GarmentView, unfit
from ..igr_core.restore.background_removal import to_rgba
from ..igr_core.restore.layout import ASPECTS, Finish, finish_garment, parse_colour
from .images import to_image, to_photos
from .schema import advanced, schema
from .sockets import ViewSocket

WHITE, COLOUR, TRANSPARENT = "white", "colour", "transparent"
PHOTO_ASPECT = "the photo's own"
"""Undo the fitting instead of laying the garment out anew."""


class IGRGarmentFinish(io.ComfyNode):
    """Trim, centre, and choose the background."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What the node takes and gives."""
        return schema(
            node_id="IGRGarmentFinish",
            display_name="Garment Finish",
            description="Trims a restored garment, centres it on a canvas with a margin, and puts it on white, a "
            "colour or nothing: ready for a catalogue or a try-on model.",
            search_aliases=["garment background", "trim garment", "packshot", "transparent garment", "centre garment"],
            inputs=[
                io.Image.Input("image", tooltip="Restored garments on near-white, from VAE Decode."),
                io.Combo.Input(
                    "aspect",
                    options=[*ASPECTS, PHOTO_ASPECT],
                    default="3:4",
                    tooltip='Shape of the canvas, width to height. "the photo\'s own" undoes the fitting of Garment '
                    "Mask/Crop and lays nothing out; it needs the view.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.05,
                    min=0.0,
                    max=0.4,
                    step=0.01,
                    tooltip="Free space on each side, as a share of the canvas's side.",
                ),
                io.Combo.Input(
                    "background",
                    options=[WHITE, COLOUR, TRANSPARENT],
                    default=WHITE,
                    tooltip="What lies around the garment. transparent gives a picture with four channels.",
                ),
                advanced(
                    io.String.Input,
                    "colour",
                    default="#f2f2f2",
                    tooltip="Background colour as #rrggbb, for background colour only.",
                ),
                advanced(
                    io.Boolean.Input, "trim", default=True, tooltip="Cut the picture to the garment before centring it."
                ),
                ViewSocket.Input(
                    "view", optional=True, tooltip='From Garment Mask/Crop, for aspect "the photo\'s own" only.'
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The finished garment."),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="Opacity of the garment: 1 on it, 0 around it. Invert it for JoinImageWithAlpha.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, colour: str | None = None) -> bool | str:
        """Refuse a colour that is none before anything runs."""
        try:
            if colour is not None:
                parse_colour(colour)
            return True
        except IGRError as error:
            return str(error)

    @classmethod
    def execute(
        cls,
        image: Tensor,
        aspect: str,
        margin: float,
        background: str,
        colour: str = "#f2f2f2",
        trim: bool = True,
        view: GarmentView | None = None,
    ) -> io.NodeOutput:
        """Lay out the garments."""
        around = parse_colour(colour) if background == COLOUR else (1.0, 1.0, 1.0)
        photos = to_photos(image)
        if aspect == PHOTO_ASPECT:
            pictures, alpha = undo_fitting(photos, view, around)
        else:
            pictures, alpha = finish_garment(photos, Finish(aspect, margin, around, trim))
        if background == TRANSPARENT:
            pictures = torch.cat([_without_white(pictures, alpha), alpha], 1)
        return io.NodeOutput(to_image(pictures), alpha[:, 0])


def undo_fitting(image: Tensor, view: GarmentView | None, around: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """Canvas pictures (B, 3, H, W) at their photo's resolution, padding dropped: pictures and opacity.

    Photos of several sizes are scaled to the first one's. Raises IGRError without the view that the pictures are of.
    """
    if view is None:
        raise IGRError(f'aspect "{PHOTO_ASPECT}" needs the view: connect Garment Mask/Crop to Garment Finish.')
    if len(view.placements) != image.shape[0]:
        raise IGRError(
            f"There are {image.shape[0]} pictures but the view has {len(view.placements)}: connect the view that they "
            "were restored from."
        )
    restored = [to_rgba(one[None]) for one in unfit(image, view)]
    size = restored[0].shape[-2:]
    together = torch.cat([one if one.shape[-2:] == size else F.interpolate(one, size, mode="area") for one in restored])
    colour, alpha = together[:, :3], together[:, 3:]
    return colour * alpha + colour.new_tensor(around).view(1, 3, 1, 1) * (1 - alpha), alpha


def _without_white(pictures: Tensor, alpha: Tensor) -> Tensor:
    """The garment's own colours, without the white that its edge was mixed with."""
    return torch.where(alpha > 0, (pictures - (1 - alpha)) / alpha.clamp_min(1e-3), pictures).clamp(0, 1)
