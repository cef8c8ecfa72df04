"""GarmNet Encode: run both of the paper's extractors on the photo once (section 3.2)."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..igr_core.errors import IGRError
from ..igr_core.model.pruning import Kept, prune
from ..igr_core.model.pruning_config import KEEP, NEAR, Keep, Pruning
from ..igr_core.photo.inputs import check_category
from ..igr_core.photo.view import GarmentView, latent_mask
from .host.encoding import Reference, encode_crop, encode_image, encode_image_prompt, encode_reference
from .host.networks import check_vae
from .host.ui import note_entries
from .schema import advanced, check_option, garment_category, schema
from .sockets import Adapter, AdapterSocket, ReferenceSocket, ViewSocket


class IGRGarmNetEncode(io.ComfyNode):
    """Encode the garment from a view of the photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRGarmNetEncode",
            display_name="GarmNet Encode",
            description="Encodes the masked garment once, before sampling: GarmNet computes the reference features, "
            "and the image encoder computes the image prompt. The node runs again only if the photo, mask or category "
            "changes.",
            search_aliases=["garmnet", "garment encoder", "reference features", "encode garment"],
            inputs=[
                AdapterSocket.Input("adapter", tooltip="From IGR Load."),
                io.Vae.Input("vae", tooltip="From IGR Load: the VAE that the bundle was trained with."),
                ViewSocket.Input("view", tooltip="From Garment Mask/Crop: photo, mask and crop."),
                garment_category(),
                advanced(
                    io.Combo.Input,
                    "keep_reference",
                    options=list(KEEP),
                    default="near",
                    tooltip="Reference features to keep: near keeps those in and around the mask, which makes sampling "
                    "faster; all keeps those of the whole photo, as in the paper.",
                ),
            ],
            outputs=[
                ReferenceSocket.Output(
                    display_name="reference", tooltip="One reference per photo. Connect it to IGR Apply."
                ),
            ],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls, adapter: Adapter, vae: Any, view: GarmentView, category: str, keep_reference: Keep = "near"
    ) -> io.NodeOutput:
        """Encode the garments in a view, and show the view's warnings."""
        check_option("keep_reference", keep_reference, KEEP)
        reference = encode(adapter, vae, view, category, KEEP[keep_reference])
        return io.NodeOutput(reference, ui=note_entries(cls, view.warnings_about(category)))


def encode(adapter: Adapter, vae: Any, view: GarmentView, category: str, pruning: Pruning = NEAR) -> Reference:
    """Run GarmNet and the image encoder on a view of B photos; `pruning` chooses the reference features to keep.

    Raises IGRError for an unknown category, another bundle's VAE, or a size that the bundle does not support.
    """
    config = adapter.config
    check_category(category)
    check_vae(vae, config.vae, adapter.vae_weights)
    width, height = view.person.shape[-1], view.person.shape[-2]
    if width % config.size_step or height % config.size_step:
        raise IGRError(
            f"The view is {width}×{height}, but this bundle needs multiples of {config.size_step} pixels: choose "
            "another size in Garment Mask/Crop."
        )
    crop_size = config.image_encoder.image_size
    if adapter.image_prompt is not None and view.crop.shape[-1] != crop_size:
        raise IGRError(
            f"The crop is {view.crop.shape[-1]} pixels wide, but this bundle needs {crop_size} pixels: connect the "
            "adapter of the same IGR Load to Garment Mask/Crop and GarmNet Encode."
        )
    prompt = adapter.prompts[category][None]
    features: dict[str, Tensor] = {}
    kept: Kept = {}
    if adapter.garmnet is not None:
        latent = encode_image(vae, view.person, config.vae)
        mask = latent_mask(view.mask, config.vae.downscale)
        features, kept = prune(encode_reference(adapter.garmnet, config, latent, mask, prompt), mask, pruning)
    keys_values = {}
    if adapter.image_prompt is not None and config.image_prompt is not None:
        crop_features = encode_crop(adapter.image_encoder, view.crop, config.image_prompt.layout)
        keys_values = encode_image_prompt(adapter.image_prompt, crop_features)
    f = config.vae.downscale
    shape = (view.person.shape[0], config.vae.latent_channels, height // f, width // f)
    empty = adapter.prompts["empty"][None]
    return Reference(
        config,
        features,
        keys_values,
        prompt,
        empty,
        shape,
        adapter.key,
        category,
        kept=kept,
        shown=view.keys,
        vae_weights=adapter.vae_weights,
    )
