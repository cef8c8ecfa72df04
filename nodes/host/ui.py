"""Progress bars, previews and notes on nodes, and the colours of the latent preview."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import ui
from comfy_execution.graph import ExecutionBlocker
from server import PromptServer
from torch import Tensor

from ...igr_core.errors import IGRError
from ...igr_core.model.config import VAEConfig
from ...igr_core.text import one_line, without_markup
from .encoding import encode_image

logger = logging.getLogger(__name__)


def progress(total: int) -> Callable[[int], None]:
    """Return a function that sets the node's progress bar of `total` items, and ends the run if it was interrupted."""
    bar = comfy.utils.ProgressBar(total)

    def show(done: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done)

    return show


def preview(node: Any, images: list[Tensor], warnings: tuple[str, ...] = (), text: str = "") -> dict[str, Any]:
    """The `ui` of a node that shows IMAGEs of any size, and the notes of note_entries."""
    shown = [ui.PreviewImage(image, cls=node).as_dict()["images"] for image in images]
    result: dict[str, Any] = {"images": [one for some in shown for one in some], "animated": (False,)}
    return {**result, **note_entries(node, warnings, text)}


def note_entries(node: Any, warnings: tuple[str, ...] = (), text: str = "") -> dict[str, Any]:
    """The `ui` entries for warnings, which are also logged, and for a text; web/js/notes.js shows both on the node.

    ComfyUI's progress text is not used, because newer frontends clear it when the run ends.
    """
    text = without_markup(text)  # v0.3.64's frontend shows text as HTML
    warnings = tuple(without_markup(one_line(warning)) for warning in warnings)
    if warnings:
        name = node.define_schema().display_name  # read only once, because a schema may list folders
        for warning in warnings:
            logger.warning("%s: %s", name, warning)
    notes = [{"text": one, "warning": True} for one in warnings]
    notes += [{"text": line, "warning": False} for line in text.splitlines()]
    lines = ("\n".join((*warnings, text)),) if text else warnings
    # always both keys, because for a list of photos, ComfyUI joins the entries of all runs by the keys of the first
    return {"igr_notes": notes, "text": lines}


def editor_entries(node: Any, photo: Tensor, content: str) -> dict[str, Any]:
    """The `ui` entry for the photo (1, H, W, 3) to click on, for Garment Segment's editor.

    The frontend does not know the `igr_photo` key, so it does not show the photo again. `content` identifies the photo,
    because the file has a new name in each run.
    """
    (shown,) = ui.PreviewImage(photo, cls=node).as_dict()["images"]
    return {"igr_photo": [{**shown, "content": content}]}


def skipped() -> Any:
    """An output that keeps the following nodes from running, without an error."""
    return ExecutionBlocker(None)


@contextmanager
def shown_before_errors(node: Any, entries: dict[str, Any]) -> Iterator[None]:
    """Show `ui` entries on a node even if it raises an IGRError; ComfyUI only shows those of successful runs."""
    try:
        yield
    except IGRError:
        server, name = PromptServer.instance, node.hidden.unique_id
        if server.client_id is not None and name is not None:
            prompt = getattr(server, "last_prompt_id", None)
            message = {"node": name, "display_node": name, "output": entries, "prompt_id": prompt}
            server.send_sync("executed", message, server.client_id)
        raise


def fit_preview(denoiser: Any, vae: Any, config: VAEConfig) -> None:
    """Fit ComfyUI's latent preview to a VAE other than SD1.5's, by encoding an image of 64 colours."""
    if config == VAEConfig():
        return
    f, side = config.downscale, 4  # each colour fills side x side latent cells; the inner ones are used
    levels = torch.linspace(0, 1, 4)
    colours = torch.cartesian_prod(levels, levels, levels)  # (64, 3)
    tiles = colours.view(8, 8, 3).repeat_interleave(side * f, 0).repeat_interleave(side * f, 1)
    latent = encode_image(vae, tiles.movedim(-1, 0)[None], config).cpu()  # (1, 4, 8 * side, 8 * side)
    cells = latent[0].unflatten(1, (8, side)).unflatten(3, (8, side))[:, :, 1:-1, :, 1:-1].mean((2, 4))
    known = torch.cat([cells.flatten(1).T, torch.ones(64, 1)], 1)  # (64, 5)
    factors = torch.linalg.lstsq(known, colours * 2 - 1).solution
    latent_format = denoiser.model.latent_format
    latent_format.latent_rgb_factors = factors[:-1].tolist()
    latent_format.latent_rgb_factors_bias = factors[-1].tolist()
    latent_format.taesd_decoder_name = None
