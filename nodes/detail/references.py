"""Combine References: several photos of one garment."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from ...igr_core.photo.view import GarmentView, join_views, shows_again, split_view
from ..host.encoding import Reference, check_together, check_view, join_references, photo_of
from ..schema import schema
from ..sockets import ReferenceSocket, ViewSocket


class IGRCombineReferences(io.ComfyNode):
    """Join two references of the same garment."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRCombineReferences",
            display_name="Combine References",
            description="Combines two photos of the same garment, such as its front and its side, so that the model "
            "sees both. Chain several of these nodes for up to 8 photos. The image prompt comes from the first photo.",
            search_aliases=["several photos", "multiple references", "multi view", "two photos"],
            inputs=[
                ReferenceSocket.Input("reference", tooltip="The main photo, from GarmNet Encode."),
                ViewSocket.Input("view", tooltip="The view of the main photo, from Garment Mask/Crop."),
                ReferenceSocket.Input("other_reference", tooltip="Another photo, from another GarmNet Encode."),
                ViewSocket.Input("other_view", tooltip="The view of the other photo, at the same size."),
            ],
            outputs=[
                ReferenceSocket.Output(display_name="reference", tooltip="Connect to IGR Apply."),
                ViewSocket.Output(display_name="view", tooltip="Connect to Garment Evidence and Transfer Details."),
            ],
        )

    @classmethod
    def execute(
        cls, reference: Reference, view: GarmentView, other_reference: Reference, other_view: GarmentView
    ) -> io.NodeOutput:
        """Join the references and the views; photos that the first view already contains are skipped."""
        check_together(reference, other_reference)
        check_view(reference, view)
        check_view(other_reference, other_view)
        for number, part in enumerate(split_view(other_view, other_reference.latent_shape[0])):
            if not shows_again(view, part):
                reference = join_references(reference, photo_of(other_reference, number))
                view = replace(join_views([view, part]), each=reference.photos)
        return io.NodeOutput(reference, view)
