"""Take VAE and image encoder out of a bundle, to train other networks on: `python -m training unpack BUNDLE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from igr_core.demo import DEMO_BUNDLE
from igr_core.errors import IGRError
from igr_core.files import make_folder, write_tensors
from igr_core.model.bundle import Bundle
from igr_core.model.config import to_json

from ..base.command import one_sentence
from ..base.parts import write_summary
from ..base.provenance import bundle_weights_sha256

PARTS = ("vae", "image_encoder")


def unpack(bundle: Bundle, part: str, out: Path) -> Path:
    """Write one part as OUT/PART/PART.safetensors with its .json, as the training of that part would have left it.

    The .json keeps what the bundle knows of the part's training. Raises IGRError when the bundle does not carry it, or
    when the file is there already: it may be the only copy of a long training.
    """
    tensors = bundle.tensors(part)
    path = out / part / f"{part}.safetensors"
    if path.exists():
        raise IGRError(f"{path} is there already: choose another --out, or move it away.")
    make_folder(path.parent)
    write_tensors(path, tensors)
    known: dict[str, Any] = dict(bundle.info.training.get(part, {}))
    known.pop("sha256", None)
    source = {"name": bundle.info.name, "weights_sha256": bundle_weights_sha256(bundle)}
    write_summary(path, {part: to_json(getattr(bundle.info.model, part)), **known, "unpacked_from": source})
    return path


@one_sentence()
def main(
    bundle: Annotated[Path, typer.Argument(help="The bundle.", show_default="the demo")] = DEMO_BUNDLE,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder for each part.")] = Path("runs"),
    part: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}; all if left out.")] = None,
) -> None:
    """Write the frozen parts of BUNDLE as python -m training train-vae and python -m training train-image-encoder write theirs."""
    for name in part or PARTS:
        if name not in PARTS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(PARTS)}.", param_hint="--part")
    opened = Bundle.open(bundle)
    for name in part or PARTS:
        typer.echo(str(unpack(opened, name, out)))


if __name__ == "__main__":
    typer.run(main)
