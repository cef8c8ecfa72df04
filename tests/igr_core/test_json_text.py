"""JSON files that would take minutes to read, or that never end, are rejected immediately."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from igr_core.files import open_tensors
from igr_core.json_text import MAX_BYTES, read_json


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(IGRError, match="config.json is 8,000,001 bytes, more than the 8,000,000 supported: copy it"):
        read_json(path, "copy it again")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_instead_of_waiting_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(IGRError, match="pipe is not a file: copy it again"):
        read_json(path, "copy it again")
    with pytest.raises(IGRError, match="pipe is not a file: choose a .safetensors file"), open_tensors(path):
        pass
