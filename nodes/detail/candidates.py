"""Rank Candidates: sort restored garments by their agreement with the photo."""

from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ...igr_core.detail.candidates import agreement, ranked
from ...igr_core.detail.evidence import Evidence
from ...igr_core.errors import IGRError
from ...igr_core.photo.view import GarmentView
from ...igr_core.text import counted
from ..host.ui import preview
from ..images import to_photos
from ..schema import schema
from ..sockets import EvidenceSocket, ViewSocket
from .evidence import photos_of


class IGRRankCandidates(io.ComfyNode):
    """Sort several garments restored from one photo, best first."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRRankCandidates",
            display_name="Rank Candidates",
            description="Sorts several restored images of one garment by how well they agree with the photo, best "
            "first. For several images of one photo, put Repeat Latent Batch between IGR Apply and IGR Sample.",
            search_aliases=["best of", "pick best", "choose seed", "rank images"],
            inputs=[
                io.Image.Input("image", tooltip="Restored images of one garment, from VAE Decode."),
                EvidenceSocket.Input("evidence", tooltip="From Garment Evidence, for the same images."),
                ViewSocket.Input("view", tooltip="The view connected to Garment Evidence."),
            ],
            outputs=[
                io.Image.Output(display_name="best", tooltip="The image that agrees best with the photo."),
                io.Image.Output(display_name="images", tooltip="All images, best first."),
                EvidenceSocket.Output(display_name="evidence", tooltip="Evidence for the best image."),
                io.String.Output(
                    display_name="report", tooltip="How well each image agrees with the photo, best first."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image: Tensor, evidence: list[Evidence], view: GarmentView) -> io.NodeOutput:
        """Sort the images and show them."""
        images = to_photos(image).cpu()
        if len(images) != len(evidence):
            raise IGRError(
                f"The image input has {counted(len(images), 'image')}, but the evidence is for {len(evidence)}: "
                "connect the image that Garment Evidence uses."
            )
        photos = photos_of(view, len(images), len(evidence[0].flows))
        if len(set(photos)) > 1:
            raise IGRError(
                f"The view has {len(set(photos))} garments, but all candidates must show the same one: "
                "rank each garment separately."
            )
        scores = [
            agreement(one, view.person[list(numbers)].cpu(), known)
            for one, numbers, known in zip(images, photos, evidence, strict=True)
        ]
        order = ranked(scores)
        report = "\n".join(f"Image {number + 1}: agreement {scores[number]:.2f}" for number in order)
        result = image[torch.tensor(order)]
        return io.NodeOutput(result[:1], result, [evidence[order[0]]], report, ui=preview(cls, [result], text=report))
