"""Error messages for garments that fail."""

from __future__ import annotations

import logging

from ...errors import IGRError, is_out_of_memory
from ...text import one_line

CRASHED = "Two workers crashed on this garment, perhaps out of memory: check its photos, then run with --retry-crashed."
"""Error message for a garment that crashes its workers."""

logger = logging.getLogger(__name__)


def sentence_of(error: Exception, name: str) -> str:
    """One sentence on why a garment failed; an unexpected error, which is a bug, is also logged in full."""
    if isinstance(error, IGRError):
        return str(error)
    if is_out_of_memory(error):
        return "Out of memory: choose a smaller --size, or smaller photos."
    logger.error("Unexpected error for %s", one_line(name), exc_info=error)
    return f"Unexpected error ({error}): please report this."
