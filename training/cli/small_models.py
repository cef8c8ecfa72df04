"""Train and measure the small models in this repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igr_core.text import counted

from ..base.config_files import load_config
from .commands import (
    DataOption,
    DeviceOption,
    HeldOutOption,
    HeldOutRecordsOption,
    KindOption,
    RecordsOption,
    RenderedShareOption,
    RunOption,
    StepsOption,
    out_file,
)


def train_vae(
    config: Annotated[Path, typer.Argument(help="YAML file with a VAETraining config.")],
    run: RunOption = None,
    data: DataOption = None,
    held_out: HeldOutOption = None,
    steps: StepsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train the small autoencoder with CONFIG; an interrupted run resumes from its last checkpoint."""
    from ..small_models import vae
    from ..small_models.part_training import changed

    settings = load_config(vae.VAETraining, config)
    settings = changed(settings, run=run, data=data, held_out=held_out, steps=steps)
    scores = vae.train(settings, device)
    garment, picture = scores["psnr_garment"], scores["psnr_garment_picture"]
    typer.echo(f"Held out: {garment:.2f} dB on garment pixels, {picture:.2f} dB on the whole image.")


def measure_vae(
    path: Annotated[Path, typer.Argument(help="vae.safetensors, with a .json next to it.")],
    held_out: Annotated[
        Path, typer.Option(help="Folder of held-out pairs, as written by `python -m training data draw`.")
    ],
    count: Annotated[int, typer.Option(min=2, max=10_000_000, help="Number of pairs of each type.")] = 100,
    device: DeviceOption = "auto",
) -> None:
    """Print the PSNR of decoded garments on held-out pairs, drawn and rendered, flat and worn."""
    import torch
    from torch import nn

    from igr_core.device import choose_device
    from igr_core.files import sha256

    from ..base.parts import load_vae
    from ..base.statistics import mean_interval
    from ..data.caches.drawn import DrawnPairs
    from ..small_models import vae

    autoencoder, shape = load_vae(path)
    nn.Module.to(autoencoder, choose_device(device), memory_format=torch.channels_last)  # three times as fast on CPUs
    config = vae.VAETraining(vae=shape, precision="no")
    typer.echo(f"{path}, {sha256(path)[:16]}: PSNR on garment pixels in {held_out}, dB")
    for name, values in vae.by_kind(autoencoder, DrawnPairs(held_out), count, config).items():
        found = mean_interval(values)
        interval = f"{found.low:.2f} to {found.high:.2f}"
        typer.echo(f"{name:18} {found.mean:.2f} (95%: {interval}), {counted(len(values), 'pair')}")


def train_image_encoder(
    config: Annotated[Path, typer.Argument(help="YAML file with an ImageEncoderTraining config.")],
    run: RunOption = None,
    data: DataOption = None,
    held_out: HeldOutOption = None,
    steps: StepsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train the small image encoder with CONFIG; an interrupted run resumes from its last checkpoint."""
    from ..small_models import image_encoder
    from ..small_models.part_training import changed

    settings = changed(
        load_config(image_encoder.ImageEncoderTraining, config), run=run, data=data, held_out=held_out, steps=steps
    )
    scores = image_encoder.train(settings, device)
    typer.echo(f"Held out: retrieval {scores['retrieval_at_1']:.1%}, error of the cells {scores['flat_l1']:.4f}.")


def train_parser(
    config: Annotated[Path, typer.Argument(help="YAML file with a ParserTraining config.")],
    run: RunOption = None,
    data: DataOption = None,
    held_out: HeldOutOption = None,
    steps: StepsOption = None,
    device: DeviceOption = "auto",
    kind: KindOption = None,
    records: RecordsOption = None,
    held_out_records: HeldOutRecordsOption = None,
    rendered_share: RenderedShareOption = None,
) -> None:
    """Train the small human parser with CONFIG; an interrupted run resumes from its last checkpoint."""
    from ..small_models.parser import training as parser
    from ..small_models.part_training import changed

    settings = changed(
        load_config(parser.ParserTraining, config), run=run, data=data, held_out=held_out, steps=steps, kind=kind,
        records=records, held_out_records=held_out_records, rendered_share=rendered_share,
    )  # fmt: skip
    typer.echo(str(parser.train(settings, device)))


def measure_parser(
    folder: Annotated[Path, typer.Argument(help="Folder of the model.")],
    count: Annotated[int, typer.Option(min=2, max=10_000_000, help="Held-out photos.")] = 100,
    records: HeldOutRecordsOption = None,
) -> None:
    """Measure how well the parser in FOLDER finds garments in held-out photos, with and without a given category."""
    from igr_core.files import sha256
    from igr_core.segmentation.human_parser import HumanParser

    from ..small_models.held_out import format_overlaps
    from ..small_models.parser.scores import parser_scores

    rows, labels = parser_scores(HumanParser.from_folder(folder), count, records=records)
    typer.echo(f"{folder}, {counted(count, 'photo')}, model.safetensors {sha256(folder / 'model.safetensors')[:16]}:")
    typer.echo(format_overlaps("garment", [row.overlap for row in rows]))
    for category in sorted({row.category for row in rows}):
        if len(its := [row.overlap for row in rows if row.category == category]) > 1:
            typer.echo(format_overlaps(category, its))
    typer.echo(format_overlaps("by true labels", [row.overlap_of_truth for row in rows]))
    right = sum(row.auto == row.category for row in rows) / len(rows)
    possible = sum(row.auto_of_truth == row.category for row in rows) / len(rows)
    same = sum(row.auto == row.auto_of_truth for row in rows) / len(rows)
    typer.echo(
        f"auto category: same as from true labels in {same:.0%}; correct in {right:.0%} (true labels: {possible:.0%})"
    )
    typer.echo(f"labels: mean IoU {sum(labels.values()) / len(labels):.4f}; " + _format_scores(labels))


def _format_scores(labels: dict[str, float]) -> str:
    return ", ".join(f"{label} {value:.3f}" for label, value in labels.items())


def train_segmenter(
    config: Annotated[Path, typer.Argument(help="YAML file with a SegmenterTraining config.")],
    run: RunOption = None,
    data: DataOption = None,
    held_out: HeldOutOption = None,
    steps: StepsOption = None,
    device: DeviceOption = "auto",
    kind: KindOption = None,
    records: RecordsOption = None,
    held_out_records: HeldOutRecordsOption = None,
    rendered_share: RenderedShareOption = None,
) -> None:
    """Train the small SAM 2 with CONFIG; an interrupted run resumes from its last checkpoint."""
    from ..small_models.part_training import changed
    from ..small_models.segmenter import training as segmenter

    settings = changed(
        load_config(segmenter.SegmenterTraining, config), run=run, data=data, held_out=held_out, steps=steps, kind=kind,
        records=records, held_out_records=held_out_records, rendered_share=rendered_share,
    )  # fmt: skip
    typer.echo(str(segmenter.train(settings, device)))


def measure_segmenter(
    folder: Annotated[Path, typer.Argument(help="Folder of the model.")],
    count: Annotated[int, typer.Option(min=2, max=10_000_000, help="Held-out photos.")] = 100,
    records: HeldOutRecordsOption = None,
) -> None:
    """Measure how well the segmenter in FOLDER finds garments in held-out photos (intersection over union)."""
    from igr_core.files import sha256
    from igr_core.segmentation.segmenter import Segmenter

    from ..small_models.held_out import format_overlaps
    from ..small_models.segmenter.scores import all_scores

    scores = all_scores(Segmenter.from_folder(folder), count, records=records)
    typer.echo(f"{folder}, {counted(count, 'photo')}, model.safetensors {sha256(folder / 'model.safetensors')[:16]}:")
    for name, values in scores.items():
        typer.echo(format_overlaps(name, values))


def train_flattener(
    config: Annotated[Path, typer.Argument(help="YAML file with a FlattenerTraining config.")],
    run: RunOption = None,
    data: DataOption = None,
    held_out: HeldOutOption = None,
    steps: StepsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train the network that lays garments flat with CONFIG; an interrupted run resumes from its last checkpoint."""
    from ..small_models.flattener import training as flattener
    from ..small_models.part_training import changed

    settings = load_config(flattener.FlattenerTraining, config)
    settings = changed(settings, run=run, data=data, held_out=held_out, steps=steps)
    typer.echo("Held out: " + _format_scores(flattener.train(settings, device)))


def measure_flattener(
    path: Annotated[Path, typer.Argument(help="flattener.safetensors.")],
    held_out: Annotated[
        Path,
        typer.Option(help="Folder of held-out pairs, as written by `python -m training data draw --correspondence`."),
    ],
    count: Annotated[int, typer.Option(min=2, max=10_000_000, help="Number of pairs.")] = 300,
    device: DeviceOption = "auto",
) -> None:
    """Measure how exactly the network in PATH finds each part of the garment in held-out photos."""
    from igr_core.device import choose_device
    from igr_core.files import sha256
    from igr_core.flatten.model_file import load_flattener

    from ..data.contract.seeds import HELD_OUT_START
    from ..small_models.flattener.scores import flattener_scores
    from ..small_models.flattener.training import Corpus

    network = load_flattener(path, choose_device(device))
    pairs = Corpus(str(held_out), network.config.size, count)
    if min(pairs.pairs.seeds) < HELD_OUT_START:
        typer.echo(f"Note: {held_out} has seeds below {HELD_OUT_START}, which may have been trained on.", err=True)
    typer.echo(f"{path}, {sha256(path)[:16]}, {counted(len(pairs), 'pair')}:")
    typer.echo(_format_scores(flattener_scores(network, pairs.batches(8))))


def collect_outlines(
    out: Annotated[Path, typer.Option(help="File to write (.npz), beside the flattener.", callback=out_file)],
    count: Annotated[int, typer.Option(min=4, max=20_000, help="Number of garments.")] = 1000,
    start: Annotated[int, typer.Option(min=0, max=9_000_000, help="First seed.")] = 30_000,
    size: Annotated[str, typer.Option(help="The flattener's size as WxH.")] = "192x256",
    workers: Annotated[int, typer.Option(min=1, max=1024, help="Number of processes.")] = 2,
) -> None:
    """Collect the outlines of rendered garments for the flattener."""
    from igr_core.errors import UsageError
    from igr_core.flatten.outline_file import save_outlines
    from igr_core.photo.inputs import parse_size

    from ..small_models.flattener.outlines import collect

    if out.suffix != ".npz":
        raise UsageError(f"--out {out}: use the extension .npz.")
    save_outlines(out, collect(count, start, parse_size(size, 16), workers))
    typer.echo(str(out))
