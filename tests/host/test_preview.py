"""Garment Preview in the host: image and report are shown and output. IGR_UPDATE=1 regenerates the image of the help
page.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from igr_core.model.config import ViewConfig
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.overlay import draw_view
from igr_core.photo.view import make_view
from igr_core.photo.view_report import report_view
from tests.support.host.graphs import TINY, node
from tests.support.host.server import ROOT, UPDATE, Graph, Server

EXAMPLES = ROOT / "nodes" / "examples"
HELP_HEIGHT = 640


def preview(garment: str, view: str, size: str = "768x1024", category: str = "unknown") -> Graph:
    """Example person -> preview."""
    return {
        "load": node("IGRLoad", bundle=TINY),
        "person": node("IGRExamplePerson", garment=garment),
        "view": node(
            "IGRGarmentView",
            adapter=["load", 1],
            person=["person", 0],
            mask=["person", 1],
            size="custom",
            view=view,
            margin=0.25,
            custom_size=size,
        ),
        "preview": node("IGRGarmentPreview", view=["view", 0], category=category),
    }


def shown(server: Server, graph: Graph) -> tuple[list[np.ndarray], str]:
    """Pictures (H, W, 3) 0..255 and the text that the preview shows."""
    outputs = server.run(graph)["outputs"]["preview"]
    files = [server.base / "temp" / one["subfolder"] / one["filename"] for one in outputs["images"]]
    return [np.array(Image.open(file).convert("RGB")) for file in files], outputs["text"][0]


def test_it_shows_the_drawing_and_report_of_igr_core(server: Server) -> None:
    (picture,), text = shown(server, preview("lower of an outfit", "focused"))
    photo, mask = load_photo(EXAMPLES / "outfit.webp"), load_mask(EXAMPLES / "outfit_lower_mask.png")
    view = make_view(photo, mask, (768, 1024), ViewConfig("focused", 0.25))
    expected = (draw_view(view)[0].movedim(0, -1).numpy() * 255).astype(int)
    assert picture.shape == expected.shape and np.abs(picture - expected).max() <= 2
    assert text == report_view(view).text and text.startswith("No warnings.")


def test_warnings_are_shown_and_logged(server: Server) -> None:
    graph = preview("full", "whole")
    graph["view"]["inputs"]["grow"] = 200  # up to the photo's edges
    _, text = shown(server, graph)
    assert text.index("The mask touches") < text.index("The photo is 576×768")
    assert "covers" in text and "of the photo, so the garment may be cut off" in text
    assert "Garment Preview: The mask touches" in server.log.read_text(errors="replace")


def test_image_and_report_go_on_to_other_nodes(server: Server) -> None:
    graph = preview("upper", "whole", category="upper")
    graph["show"] = node("PreviewImage", images=["preview", 0])
    graph["text"] = node("PreviewAny", source=["preview", 1])
    if "PreviewAny" not in server.get("/object_info"):
        del graph["text"]
    outputs = server.run(graph)["outputs"]
    assert outputs["show"]["images"]
    assert "text" not in graph or "The photo is 576×768 pixels" in str(outputs["text"])


@pytest.mark.skipif(not UPDATE, reason="renders the image of the help page: set IGR_UPDATE=1")
def test_the_helps_image(server: Server) -> None:
    pictures = [shown(server, preview(*choice))[0][0] for choice in HELP]
    scaled = [_scaled(Image.fromarray(picture)) for picture in pictures]
    sheet = Image.new("RGB", (sum(one.width for one in scaled) + 12 * (len(scaled) - 1), HELP_HEIGHT), "white")
    left = 0
    for one in scaled:
        sheet.paste(one, (left, 0))
        left += one.width + 12
    sheet.save(ROOT / "web" / "docs" / "img" / "IGRGarmentPreview_overlay.jpg", quality=85, optimize=True)


HELP = (("lower of an outfit", "focused"), ("full", "whole", "768x768"))


def _scaled(picture: Image.Image) -> Image.Image:
    return picture.resize((round(picture.width * HELP_HEIGHT / picture.height), HELP_HEIGHT), Image.Resampling.LANCZOS)
