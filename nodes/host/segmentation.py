"""SAM 2 and human parsers from transformers under ComfyUI's memory management."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch
from torch import Tensor, nn

from ...igr_core.segmentation.human_parser import HumanParser
from ...igr_core.segmentation.labels import LabelNames, Parsed
from ...igr_core.segmentation.sam2_prompt import Prompt
from ...igr_core.segmentation.segmenter import Embedding, Segmenter
from .locking import after_click

_BYTES_PER_PIXEL = 1000
"""Memory used by SAM 2 or a parser per input pixel: 1 GB at 1024×1024, a generous estimate."""
_BYTES_PER_LABELLED_PIXEL = 32
"""Memory used by the photo and its labels, per pixel of the photo."""


@dataclass(frozen=True)
class LoadedSegmenter:
    """SAM 2 under ComfyUI's memory management."""

    key: str
    """Identifies the file and its state; the key changes when the file does."""
    segmenter: Segmenter
    """The model with its pre- and post-processing."""
    patcher: Any
    """ModelPatcher of the network."""

    def embed(self, photo: Tensor) -> Embedding:
        """Run the vision encoder on a photo (1, 3, H, W); the embedding is in main memory, even with --gpu-only."""
        with self._at_work():
            found = self.segmenter.embed(photo)
        return Embedding(tuple(one.cpu() for one in found.features), found.size)

    def masks(self, embedding: Embedding, prompt: Prompt) -> tuple[Tensor, Tensor]:
        """Candidates (M, 1, H, W) and scores (M,), in main memory."""
        with self._at_work():
            features = tuple(one.to(self.segmenter.device) for one in embedding.features)
            masks, scores = self.segmenter.masks(Embedding(features, embedding.size), prompt)
        return masks.cpu(), scores.cpu()

    def _at_work(self) -> AbstractContextManager[None]:
        side = self.segmenter.model.prompt_encoder.input_image_size
        return _at_work(self.patcher, _BYTES_PER_PIXEL * side**2)


@dataclass(frozen=True)
class LoadedParser:
    """A human parser under ComfyUI's memory management."""

    parser: HumanParser
    """The model with its pre- and post-processing."""
    patcher: Any
    """ModelPatcher of the network."""

    @property
    def names(self) -> LabelNames:
        """Names of the parser's labels."""
        return self.parser.names

    def parse(self, photo: Tensor) -> Parsed:
        """Label map and certainty of a photo (1, 3, H, W) in 0..1, in main memory."""
        height, width = self.parser.takes.size
        needed = _BYTES_PER_PIXEL * height * width + _BYTES_PER_LABELLED_PIXEL * photo[0, 0].numel()
        with _at_work(self.patcher, needed):
            return Parsed(*(found.cpu() for found in self.parser.parse_surely(photo)))


def load_segmenter(path: Path, key: str) -> LoadedSegmenter:
    """Load SAM 2 from a folder in transformers' layout or a single file; raises IGRError if that fails."""
    with torch.inference_mode():  # as in ComfyUI's nodes, so that both threads can move the weights
        segmenter = Segmenter.from_folder(path) if path.is_dir() else Segmenter.from_file(path)
    return LoadedSegmenter(key, segmenter, _managed(segmenter.model))


def load_parser(path: Path) -> LoadedParser:
    """Load a human parser from a folder in transformers' layout; raises IGRError if that fails."""
    with torch.inference_mode():
        parser = HumanParser.from_folder(path)
    return LoadedParser(parser, _managed(parser.model))


class _Network(nn.Module):
    """A wrapper for ComfyUI, which sets `device` on the module; transformers' own class makes it read-only."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


def _managed(network: nn.Module) -> Any:
    """A transformers network as a ModelPatcher."""
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(_Network(network), device, offload_device=torch.device("cpu"))


@contextmanager
def _at_work(patcher: Any, needed: int) -> Iterator[None]:
    """Keep a transformers network entirely on ComfyUI's device, with `needed` bytes of free memory.

    Unlike ComfyUI's own layers, transformers' layers cannot run with weights on another device.
    """
    network, device = patcher.model, patcher.load_device
    after_click()
    comfy.model_management.load_models_gpu([patcher], memory_required=needed, force_full_load=True)
    moved = any(one.device.type != device.type for one in (*network.parameters(), *network.buffers()))
    if moved:  # ComfyUI does not move it with --novram
        network.to(device)
    try:
        with torch.inference_mode():
            yield
    finally:
        if moved:
            network.to(patcher.offload_device)
