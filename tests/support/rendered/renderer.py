"""Whether this machine can render: the packages of the extra `render`, and the LLVM library."""

from __future__ import annotations

import pytest

from igr_core.errors import IGRError
from training.data.rendered.studio.rays.tracing import load_mitsuba


def require_renderer() -> None:
    """Skip the test, or the module that calls this on import, if this machine cannot render; the reason is reported."""
    try:
        load_mitsuba()
    except IGRError as error:
        pytest.skip(f"NOT RUN: {error}", allow_module_level=True)
