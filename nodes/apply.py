"""IGR Apply: apply the reference to the denoiser (GarmFus, paper section 3.2)."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..igr_core.errors import IGRError
from ..igr_core.ranges import Range
from .host.encoding import Reference
from .host.garmfus_patch import apply_reference
from .host.marks import conditioning
from .host.networks import check_denoiser
from .schema import advanced, check_text, schema
from .sockets import ReferenceSocket
from .strengths import block_strengths, parse_factors

STRENGTH, SHARE = Range(0.0, 4.0), Range(0.0, 1.0)
"""Ranges of the strengths, and of points in the denoising process."""


class IGRApply(io.ComfyNode):
    """Patch a MODEL so that it restores the garment in a reference."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRApply",
            display_name="IGR Apply",
            description="Lets the denoiser attend to the reference, and outputs the matching conditioning and empty "
            "latent. The result works with IGR Sample and with any other sampler node. Attention patches from other "
            "nodes stay active, whether those nodes come before or after this one.",
            search_aliases=[
                "garmfus",
                "apply garment",
                "apply reference",
                "ip-adapter garment",
                "garment reference",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The denoiser from IGR Load, directly or through LoRA loaders."),
                ReferenceSocket.Input("reference", tooltip="From GarmNet Encode, with the same bundle."),
                io.Float.Input(
                    "reference_strength",
                    default=1.0,
                    min=STRENGTH.low,
                    max=STRENGTH.high,
                    step=0.05,
                    tooltip="Weight of the photo in self-attention: 1 is the strength used in training, 0 disables "
                    "it. Values above 1 follow the "
                    "photo more closely (they count as 1 if another node replaces the self-attention).",
                ),
                io.Float.Input(
                    "image_prompt_strength",
                    default=1.0,
                    min=STRENGTH.low,
                    max=STRENGTH.high,
                    step=0.05,
                    tooltip="Weight of the garment crop in cross-attention: 1 is the strength used in training, 0 "
                    "disables it.",
                ),
                advanced(
                    io.Float.Input,
                    "start_percent",
                    default=0.0,
                    min=SHARE.low,
                    max=SHARE.high,
                    step=0.01,
                    tooltip="Point in the denoising process at which the reference starts to apply, from 0 (pure "
                    "noise) to 1 (done).",
                ),
                advanced(
                    io.Float.Input,
                    "end_percent",
                    default=1.0,
                    min=SHARE.low,
                    max=SHARE.high,
                    step=0.01,
                    tooltip="Point in the denoising process at which the reference stops applying, from 0 (pure "
                    "noise) to 1 (done).",
                ),
                advanced(
                    io.String.Input,
                    "level_strengths",
                    default="",
                    tooltip="Multipliers for reference_strength, one per UNet level, finest first, such as 1, 1, "
                    "0.5, 1. The middle block belongs to the coarsest level. Leave empty to use 1 for all levels.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model",
                    tooltip="The denoiser, patched to attend to the reference. Connect it to IGR Sample or KSampler.",
                ),
                io.Conditioning.Output(display_name="positive", tooltip="The prompt for the garment's category."),
                io.Conditioning.Output(display_name="negative", tooltip="The empty prompt, without the reference."),
                io.Latent.Output(
                    display_name="latent", tooltip="An empty latent at the view's size, with one image per photo."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, level_strengths: str | None = None) -> bool | str:
        """Reject invalid factors before anything runs."""
        try:
            parse_factors(level_strengths or "")
            return True
        except IGRError as error:
            return str(error)

    @classmethod
    def execute(
        cls,
        model: Any,
        reference: Reference,
        reference_strength: float,
        image_prompt_strength: float,
        start_percent: float = 0.0,
        end_percent: float = 1.0,
        level_strengths: str = "",
    ) -> io.NodeOutput:
        """Patch a clone of the model."""
        check_text("level_strengths", level_strengths)
        check_denoiser(model, reference.config, reference.key)
        for limit, name, value in (
            (STRENGTH, "reference_strength", reference_strength),
            (STRENGTH, "image_prompt_strength", image_prompt_strength),
            (SHARE, "start_percent", start_percent),
            (SHARE, "end_percent", end_percent),
        ):
            limit.check(value, name)  # ComfyUI accepts NaN, which arithmetic nodes can output
        if start_percent > end_percent:
            raise IGRError(f"start_percent {start_percent} is after end_percent {end_percent}: swap them.")
        factors = parse_factors(level_strengths)
        strengths = block_strengths(reference.config.denoiser, reference_strength, factors)
        patched = apply_reference(model, reference, strengths, image_prompt_strength, start_percent, end_percent)
        positive = conditioning(reference.prompt, True)
        negative = conditioning(reference.empty_prompt, False)
        return io.NodeOutput(patched, positive, negative, {"samples": torch.zeros(reference.latent_shape)})
