"""IGR Contact Sheet: the photos and garments of a run in one image, and a report on them."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...igr_core.model.config import CATEGORIES
from ...igr_core.photo.view import GarmentView
from ..host.folders import output_root
from ..host.ui import preview, progress
from ..schema import check_option, check_text, garment_category, schema
from ..sockets import ViewSocket
from .sheet import Pair, draw_sheet, reduced
from .sheet_inputs import check_lengths, matched
from .sheet_report import REPORT, Garment, check_reports, split_prefix, update_reports

SHOWN = 48
"""Number of garments drawn on the sheet."""


class IGRContactSheet(io.ComfyNode):
    """Show the photos and garments of a run side by side, and report on them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and descriptions of the node."""
        return schema(
            node_id="IGRContactSheet",
            display_name="IGR Contact Sheet",
            description="Shows all photos of a run beside their garments in one image, with names, categories and "
            f"warnings, and adds a line for each garment to {REPORT} beside the saved garments.",
            search_aliases=["overview", "image grid", "csv report", "before after", "proof sheet"],
            inputs=[
                io.Image.Input("person", tooltip="The photos, from IGR Photo Folder."),
                io.Image.Input(
                    "garment",
                    lazy=True,
                    tooltip="The restored garments, in the same order as the photos. Connect the output of Restore "
                    "Garment.",
                ),
                ViewSocket.Input(
                    "view",
                    optional=True,
                    lazy=True,
                    tooltip="From Restore Garment or Garment Mask/Crop. Adds the warnings about photos and masks.",
                ),
                io.Float.Input(
                    "visible",
                    optional=True,
                    lazy=True,
                    force_input=True,
                    tooltip="From Garment Evidence. Adds the fraction of each garment that was visible in its photo.",
                ),
                io.String.Input(
                    "prefix",
                    default="garments/garment",
                    tooltip="Where the garments are saved. Connect IGR Photo Folder's prefix, as for Save Image. The "
                    f"end of the prefix is shown as the garment's name, and {REPORT} is written to its folder.",
                ),
                garment_category(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="sheet",
                    tooltip=f"The first {SHOWN} photos of the run beside their garments, and the number of photos not "
                    "shown.",
                ),
                io.String.Output(
                    display_name="report",
                    tooltip="One line per garment: name, category, visible fraction, size, warnings.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def check_lazy_status(cls, prefix: list[str], **inputs: Any) -> list[str]:
        """Check the report before the garments are restored, then request everything that is not known yet."""
        check_lengths({"prefix": prefix, "person": inputs["person"], "category": inputs["category"]})
        for one in prefix:
            check_text("prefix", one)
        for one in filter(None, inputs["category"]):
            check_option("category", one, CATEGORIES)
        check_reports(output_root(), {split_prefix(one)[0] for one in prefix})
        return [name for name, given in inputs.items() if any(one is None for one in given)]

    @classmethod
    def execute(
        cls,
        person: list[Tensor],
        garment: list[Tensor],
        prefix: list[str],
        category: list[str],
        view: list[GarmentView] | None = None,
        visible: list[float] | None = None,
    ) -> io.NodeOutput:
        """Draw the sheet, write the report, and show both on the node."""
        show = progress(len(garment))
        garments, pairs = [], []
        for one, photo, image in matched(person, garment, prefix, category, view or [None], visible or [None]):
            garments.append(one)
            if len(garments) <= SHOWN:
                pairs.append(_pair(len(garments), one, photo, image))
            show(min(len(garments), len(garment)))
        counts = update_reports(output_root(), garments)
        more = len(garments) - SHOWN
        sheet = draw_sheet(pairs, f"and {more} more, listed in {REPORT}" if more > 0 else "")
        sentences = [f"{number}. {one.sentence}" for number, one in enumerate(garments, 1)]
        warned = tuple(text for text, one in zip(sentences, garments, strict=True) if one.warnings)
        notes = [text for text in sentences if text not in warned]
        notes += [f"Report: output/{path} ({_counted(count, 'garment')})." for path, count in counts.items()]
        return io.NodeOutput(sheet, "\n".join(sentences), ui=preview(cls, [sheet], warned, "\n".join(notes)))


def _pair(number: int, one: Garment, photo: Tensor, image: Tensor) -> Pair:
    title, warning = f"{number}. {one.name}", _counted(len(one.warnings), "warning")
    if not one.warnings:
        return Pair(reduced(photo), reduced(image), title, one.facts)
    return Pair(reduced(photo), reduced(image), title, f"{one.facts}, ", warning)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
