"""Garment Finish: lay out the restored garment for the next step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ..igr_core.errors import IGRError
from ..igr_core.photo.inputs import MASK_THRESHOLD
from ..igr_core.photo.view import GarmentView, photo_rect, unfit
from ..igr_core.restore.background_removal import cutout_warnings, garment_alpha, opaque_border, to_rgba
from ..igr_core.restore.finish import ASPECTS, Finish, finish_garment, parse_colour
from ..igr_core.text import counted
from .host.ui import note_entries
from .images import as_rows, to_image, to_photos
from .schema import advanced, check_option, check_text, schema
from .sockets import ViewSocket

WHITE, COLOUR, TRANSPARENT = "white", "colour", "transparent"
_HOLE = 0.01
"""Fraction of the pixels inside an opaque border from which they are taken for an inverted garment."""
_TINTED, _LEFT_OUT = 0.12, 0.05
"""Difference from white from which a pixel shows a garment, and the fraction of these pixels outside the mask from
which it is taken for the mask of another image."""
_EDGE, _LEAST_LOST = 0.01, 0.005
"""Width of a garment's edge as a fraction of the image's height, and the fraction of an image that a mask must leave
out to be reported."""
_COLOURED = 0.5
"""Fraction of an image's border that differs from white from which its background is not white."""
_CUT = 0.002
"""Fraction of a garment outside the photo's part of the canvas from which the garment would be cut off."""
PHOTO_ASPECT = "the photo's own"
"""Option that undoes the fitting to the canvas instead of laying out the garment."""


class IGRGarmentFinish(io.ComfyNode):
    """Trim and centre a garment, and set its background."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRGarmentFinish",
            display_name="Garment Finish",
            description="Trims a restored garment, centres it on a canvas with a margin, and makes the background "
            "white, coloured or transparent, for a catalogue or a try-on model.",
            search_aliases=[
                "cutout",
                "garment background",
                "trim garment",
                "packshot",
                "transparent garment",
                "centre garment",
                "product photo",
            ],
            inputs=[
                io.Image.Input("image", tooltip="Restored garments on a near-white background, from VAE Decode."),
                io.Combo.Input(
                    "aspect",
                    options=[*ASPECTS, PHOTO_ASPECT],
                    default="3:4",
                    tooltip='Aspect ratio of the canvas, width to height. "the photo\'s own" undoes the fitting '
                    "done by Garment Mask/Crop, without cutting the garment off, and needs the view.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.05,
                    min=0.0,
                    max=0.4,
                    step=0.01,
                    tooltip="Free space on each side, as a fraction of the canvas's width or height.",
                ),
                io.Combo.Input(
                    "background",
                    options=[WHITE, COLOUR, TRANSPARENT],
                    default=WHITE,
                    tooltip="Background behind the garment; transparent outputs an image with four channels.",
                ),
                advanced(
                    io.String.Input,
                    "colour",
                    default="#f2f2f2",
                    tooltip="Background colour as #rrggbb; used if background is colour.",
                ),
                advanced(
                    io.Boolean.Input, "trim", default=True, tooltip="Crop the image to the garment before centring it."
                ),
                ViewSocket.Input(
                    "view", optional=True, tooltip='From Garment Mask/Crop; used if aspect is "the photo\'s own".'
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The garments' opacity, from Complete Garment. Without it, opacity is found from the "
                    "near-white background.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The finished garment."),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="Opacity: 1 on the garment, 0 around it. Invert it for Join Image with Alpha.",
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, colour: str | None = None) -> bool | str:
        """Reject an invalid colour before anything runs."""
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
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        """Lay out the garments."""
        check_option("aspect", aspect, (*ASPECTS, PHOTO_ASPECT))
        check_option("background", background, (WHITE, COLOUR, TRANSPARENT))
        check_text("colour", colour)
        around = parse_colour(colour) if background == COLOUR else (1.0, 1.0, 1.0)
        photos = to_photos(image)
        opacity = None if mask is None else _opacity(mask, photos)
        warnings: tuple[str, ...] = (
            () if opacity is None else _mask_warnings(opacity, photos, len(as_rows(mask, "mask")))
        )
        if background != WHITE and opacity is None:
            warnings = cutout_warnings(photos, garment_alpha(photos), None if view is None else view.mask)
        if aspect == PHOTO_ASPECT:
            images, alpha = undo_fitting(photos, view, around, opacity)
        else:
            images, alpha = finish_garment(photos, Finish(aspect, margin, around, trim), opacity)
        if background == TRANSPARENT:
            images = torch.cat([_without_white(images, alpha), alpha], 1)
        return io.NodeOutput(to_image(images), alpha[:, 0], ui=note_entries(cls, warnings))


def _opacity(mask: Tensor, images: Tensor) -> Tensor:
    """The garments' opacity (B, 1, H, W) from a MASK.

    Raises IGRError for a mask that does not fit the images (B, 3, H, W), is empty, or has the garment as a hole.
    """
    opacity = as_rows(mask, "mask").clamp(0, 1)
    if opacity.shape[-2:] != images.shape[-2:] or len(opacity) not in (1, len(images)):
        raise IGRError(
            f"The mask has shape {tuple(mask.shape)}, but the images are {images.shape[-1]}x{images.shape[-2]} "
            f"({counted(len(images), 'image')}): connect the mask of the node that the images come from."
        )
    for number, one in enumerate(opacity):
        label = f"Mask {number + 1}" if len(opacity) > 1 else "The mask"
        if float(one.max()) < MASK_THRESHOLD:
            raise IGRError(f"{label} is empty: connect the garment's opacity, 1 on the garment and 0 around it.")
        edge = torch.cat([one[0, 0], one[0, -1], one[0, :, 0], one[0, :, -1]])
        if float(edge.min()) > MASK_THRESHOLD and float((one < MASK_THRESHOLD).float().mean()) > _HOLE:
            raise IGRError(f"{label} is 1 around the garment and 0 on it: connect an Invert Mask before this node.")
    return opacity.to(images).expand(len(images), -1, -1, -1)


def undo_fitting(
    image: Tensor, view: GarmentView | None, around: tuple[float, float, float], opacity: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Map canvas images (B, 3, H, W) back to their photos' resolution, without padding; returns images and opacity.

    A garment that reaches into the padding is shrunk instead of being cut off. If the photos differ in size, all are
    scaled to the size of the first. Several images per photo, such as candidates, must be in the order of Repeat Latent
    Batch. `opacity` (B, 1, H, W) is the garments' own, if it is known. Raises IGRError if the view is missing or does
    not match.
    """
    if view is None:
        raise IGRError(f'aspect "{PHOTO_ASPECT}" needs the view: connect Garment Mask/Crop to Garment Finish.')
    count, garments = image.shape[0], len(view.placements) // view.each
    if count == 0 or count % garments:
        raise IGRError(
            f"The image input has {counted(count, 'image')}, but the view has "
            f"{counted(garments, 'garment')}: connect the view that the images were restored from."
        )
    own = tuple(view.placements[number % garments] for number in range(count))  # only the main photos
    first = dataclasses.replace(view, placements=own)
    image, opacity = _inside(image, first, opacity)
    covers = [None] * count if opacity is None else [one[None].clamp(0, 1) for one in unfit(opacity, first)]
    restored = [to_rgba(one[None], cover) for one, cover in zip(unfit(image, first), covers, strict=True)]
    size = restored[0].shape[-2:]
    together = torch.cat([one if one.shape[-2:] == size else F.interpolate(one, size, mode="area") for one in restored])
    colour, alpha = together[:, :3], together[:, 3:]
    return colour * alpha + colour.new_tensor(around).view(1, 3, 1, 1) * (1 - alpha), alpha


def _inside(image: Tensor, view: GarmentView, opacity: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Canvas images (B, 3, H, W) and their opacity, shrunk into the photo's part of the canvas if it would cut them."""
    alphas = garment_alpha(image) if opacity is None else opacity
    images, covers = [], []
    for number, placement in enumerate(view.placements):
        one, alpha = image[number : number + 1], alphas[number : number + 1]
        left, top, right, bottom = photo_rect(one, placement)
        kept = float(alpha[..., top:bottom, left:right].sum())
        if opaque_border(alpha[0, 0]) < _COLOURED and float(alpha.sum()) - kept > _CUT * float(alpha.sum()):
            one, alpha = (_shrunk(x, (left, top, right, bottom), fill) for x, fill in ((one, 1.0), (alpha, 0.0)))
        images.append(one)
        covers.append(alpha)
    return torch.cat(images), None if opacity is None else torch.cat(covers)


def _shrunk(image: Tensor, rect: Sequence[int], fill: float) -> Tensor:
    """An image (1, C, H, W), as large as possible in the middle of a rectangle of itself, with `fill` around it."""
    left, top, right, bottom = rect
    scale = min((right - left) / image.shape[-1], (bottom - top) / image.shape[-2])
    height, width = (max(1, int(side * scale)) for side in image.shape[-2:])
    x, y = left + (right - left - width) // 2, top + (bottom - top - height) // 2
    small = F.interpolate(image.float(), (height, width), mode="bicubic", antialias=True, align_corners=False)
    result = torch.full_like(image, fill)
    result[..., y : y + height, x : x + width] = small.clamp(0, 1)
    return result


def _mask_warnings(opacity: Tensor, images: Tensor, masks: int) -> tuple[str, ...]:
    """A sentence for each opacity (B, 1, H, W) that leaves out much of what its image (B, 3, H, W) on white shows.

    Images on another background are not checked. `masks` is the number of masks that the node was given.
    """
    sentences = []
    reach = max(1, round(_EDGE * images.shape[-2]))
    near = F.max_pool2d(opacity, 2 * reach + 1, stride=1, padding=reach)  # edges are half transparent
    for number, (one, image) in enumerate(zip(near, images, strict=True), 1):
        shown = (1 - image).amax(0) > _TINTED
        border = torch.cat([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
        if float(border.float().mean()) > _COLOURED:
            continue
        lost = float((shown & (one[0] < MASK_THRESHOLD)).sum())
        share = lost / max(1.0, float(shown.sum()))
        if share > _LEFT_OUT and lost > _LEAST_LOST * shown.numel():
            label = f"Mask {number}" if masks > 1 else "The mask"
            which = f"image {number}" if len(images) > 1 else "the image"
            sentences.append(
                f"{label} leaves out {share:.0%} of what {which} shows: if this is all garment, connect the mask of "
                "the node that the image comes from, or none."
            )
    return tuple(sentences)


def _without_white(images: Tensor, alpha: Tensor) -> Tensor:
    """The garment's own colours, without the white that is mixed in at its edges."""
    return torch.where(alpha > 0, (images - (1 - alpha)) / alpha.clamp_min(1e-3), images).clamp(0, 1)
