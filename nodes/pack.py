"""The extension that registers the nodes with ComfyUI."""

from __future__ import annotations

import logging

from comfy_api.latest import ComfyExtension, io

from ..igr_core.errors import IGRError

logger = logging.getLogger(__name__)


class IGRExtension(ComfyExtension):
    """The node pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Every node of the pack; errors are logged with their traceback, because ComfyUI only logs the message."""
        try:
            return _nodes()
        except Exception:
            logger.exception("The IGR nodes could not be loaded.")
            raise


def _nodes() -> list[type[io.ComfyNode]]:
    IGRError.__module__ = "builtins"  # ComfyUI shows the module before the message, except for Python's own errors
    from .host.folders import MODEL_FOLDERS

    for folder in MODEL_FOLDERS:
        folder.register()
    from .apply import IGRApply
    from .detail.candidates import IGRRankCandidates
    from .detail.complete import IGRCompleteGarment
    from .detail.evidence import IGRGarmentEvidence
    from .detail.flatten import IGRFlattenGarment
    from .detail.references import IGRCombineReferences
    from .detail.transfer import IGRTransferDetails
    from .encode import IGRGarmNetEncode
    from .finish import IGRGarmentFinish
    from .load import IGRLoad
    from .photos.contact_sheet import IGRContactSheet
    from .photos.example import IGRExamplePerson
    from .photos.folder import IGRPhotoFolder
    from .preview import IGRGarmentPreview
    from .sample import IGRSample
    from .segmentation.click_route import register_routes
    from .segmentation.parse import IGRGarmentByCategory, IGRParserLoad
    from .segmentation.segment import IGRGarmentSegment, IGRSegmenterLoad
    from .view import IGRGarmentView

    register_routes()
    return [
        IGRLoad,
        IGRGarmentView,
        IGRGarmentPreview,
        IGRGarmNetEncode,
        IGRApply,
        IGRSample,
        IGRCombineReferences,
        IGRGarmentEvidence,
        IGRTransferDetails,
        IGRFlattenGarment,
        IGRCompleteGarment,
        IGRRankCandidates,
        IGRExamplePerson,
        IGRGarmentFinish,
        IGRPhotoFolder,
        IGRContactSheet,
        IGRSegmenterLoad,
        IGRGarmentSegment,
        IGRParserLoad,
        IGRGarmentByCategory,
    ]
