"""From published weights to a bundle: init, prepare, train, export; and what training costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from igr_core.demo import DEMO_BUNDLE
from igr_core.errors import IGRError
from igr_core.files import sha256
from igr_core.model.bundle import Bundle
from igr_core.model.config import ViewConfig, from_json, to_json
from igr_core.photo.inputs import parse_size

from ..base.config_files import load_config
from ..base.device import choose_device
from ..base.files import write_text
from ..base.provenance import command_line, note_parent, note_start
from ..base.run_folder import RunFolder
from ..base.train_config import TrainConfig
from ..bundles.export import PRECISIONS, export_run
from ..bundles.init import Sources, write_init
from ..bundles.unpack import PARTS, unpack_part
from ..core.bench import DEMO, Runner, table, variants
from ..core.compute.engine import peer_lost
from ..core.compute.estimate import estimate, hours_table
from ..core.trainer import Trainer, model_summary
from ..core.validation import Validator
from ..data.caches.drawn import DrawnPairs
from ..data.contract.laid_out import LaidOut
from ..evaluation.experiments.compact import compact_scores
from ..prepared.fits import check_drawn, check_settings, model_config
from ..prepared.prepare import prepare_folder
from ..prepared.selection import PairsConfig, layout_of, open_pairs
from .commands import Changes, DeviceOption


def train(
    config: Annotated[Path, typer.Argument(help="YAML file of a TrainConfig (training/configs).")],
    run: Annotated[Path, typer.Option(help="Run folder; a run that was interrupted goes on where it was.")],
    changes: Changes = None,
    until: Annotated[
        int | None, typer.Option(min=1, help="Stop after this step; the same command without it goes on from there.")
    ] = None,
) -> None:
    """Train GarmNet, denoiser and image prompt together; VAE and image encoder stay frozen."""
    settings = load_config(TrainConfig, config, changes or ())
    folder = RunFolder(run)
    validator = Validator(settings, folder.path) if settings.validate_every else None
    trainer = Trainer(settings, folder)
    if trainer.is_main:
        note_start(folder.path, trainer.step, command_line())
        if settings.init_bundle is not None and trainer.step == 0:
            note_parent(folder.path, Bundle.open(settings.init_bundle))
        write_text(folder.path / "config.json", json.dumps(to_json(settings), indent=2) + "\n")
        typer.echo(f"{model_summary(trainer.bare.config, trainer.bare)}; starting at step {trainer.step}")
        typer.echo(trainer.engine.describe())
        if trainer.computed_otherwise:
            changes_told = ", ".join(trainer.computed_otherwise)
            typer.echo(
                f"steps to {trainer.step} were computed otherwise ({changes_told}): not bit for bit the same run"
            )
    try:
        trainer.run_steps(validator, until)
    except RuntimeError as error:
        if not peer_lost(error):
            raise
        raise IGRError(
            f"Another process of the run has died (its own message is above): the last checkpoint in "
            f"{folder.checkpoints} is whole, and the same command goes on from there."
        ) from error
    finally:
        folder.close()
    if trainer.stopped_by:
        typer.echo(f"interrupted; saved step {trainer.step}, the same command goes on from there", err=True)
        raise typer.Exit(128 + trainer.stopped_by)


def prepare(
    out: Annotated[Path, typer.Option(help="Folder for the prepared shards; whole ones of the same settings stay.")],
    config: Annotated[
        Path | None, typer.Argument(help="YAML file of the training: names VAE, image encoder, size and view.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Data set: its folder, shards (a folder, a.tar, s3://...), or a YAML file of a PairsConfig."),
    ] = None,
    drawn: Annotated[
        Path | None, typer.Option(help="In place of --data: drawn pairs (python -m training data draw).")
    ] = None,
    split: Annotated[str, typer.Option(help="train, or test for validation.")] = "train",
    mask: Annotated[str, typer.Option(help="auto, agnostic, garment or file.")] = "auto",
    manifest: Annotated[Path | None, typer.Option(help="Folder of a curation: leave out what it drops.")] = None,
    subset: Annotated[str, typer.Option(help="Of the manifest: kept, or hqft for the best share.")] = "kept",
    flips: Annotated[bool, typer.Option("--flips", help="Add mirrored pairs where the garment is symmetric.")] = False,
    vae: Annotated[Path | None, typer.Option(help="Trained VAE, .safetensors with its .json beside it.")] = None,
    image_encoder: Annotated[Path | None, typer.Option(help="Trained image encoder, likewise.")] = None,
    layout: Annotated[str | None, typer.Option(help="Image prompt that it is for: linear or resampler.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pairs.")] = None,
    shard: Annotated[int, typer.Option(min=1, help="Pairs in a shard.")] = 500,
    bf16: Annotated[bool, typer.Option("--bf16", help="Encode in bfloat16: faster where the hardware has it.")] = False,
    device: DeviceOption = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Threads that read pictures.")] = 4,
    changes: Changes = None,
) -> None:
    """Encode pairs with the frozen VAE and image encoder, so that training never runs them again.

    Several processes share the work: torchrun --nproc-per-node 4 -m -- training prepare ...
    """
    settings = load_config(TrainConfig, config) if config is not None else None
    vae, image_encoder, layout = _choices(settings, vae, image_encoder, layout)
    if settings is not None:
        named = {"vae": sha256(vae), "image_encoder": sha256(image_encoder), "layout": layout}
        check_settings(settings, named, "What the options ask for")
    chosen = _named_pairs(data, split, mask, manifest, subset, flips, changes or ()) if data is not None else None
    pairs = _open(settings, drawn, chosen, limit, workers)
    typer.echo(f"{out}: {pairs_told(pairs)}")
    count = prepare_folder(pairs, out, vae, image_encoder, layout, shard, bf16, device)  # type: ignore[arg-type]
    typer.echo(f"{out}: {len(pairs)} pairs, {count} of them prepared now.")


def _choices(
    config: TrainConfig | None, vae: Path | None, image_encoder: Path | None, layout: str | None
) -> tuple[Path, Path, str]:
    """VAE, image encoder and layout: what is given, else what the config says."""
    if config is not None:
        vae = vae or Path(config.data.vae)
        image_encoder = image_encoder or Path(config.data.image_encoder)
        prompt = model_config(config).image_prompt
        layout = layout or (prompt.layout if prompt is not None else "linear")
    if vae is None or image_encoder is None or layout is None:
        raise IGRError("Name the CONFIG of the training, or all of --vae, --image-encoder and --layout.")
    if layout not in ("linear", "resampler"):
        raise IGRError(f"--layout {layout!r} is neither linear nor resampler.")
    return vae, image_encoder, layout


def _named_pairs(
    data: str, split: str, mask: str, manifest: Path | None, subset: str, flips: bool, changes: Sequence[str]
) -> PairsConfig:
    """The pairs that the options name: a YAML file of a PairsConfig with `changes` to it, or a data set."""
    if Path(data).suffix in (".yaml", ".yml"):
        return load_config(PairsConfig, data, changes)
    if changes:
        raise IGRError(f"--set {changes[0]} changes an entry of a YAML file, and --data {data} is none: name one.")
    named = {
        "data": {"root": data, "split": split, "mask": mask},
        "manifest": None if manifest is None else str(manifest),
        "subset": subset,
        "flips": flips,
    }
    return from_json(PairsConfig, named, "The options")


def _open(
    settings: TrainConfig | None,
    drawn: Path | None,
    pairs: PairsConfig | None,
    limit: int | None,
    workers: int,
) -> LaidOut:
    """Drawn pairs, or those of a data set laid out for the config's model."""
    if drawn is not None:
        found = DrawnPairs(drawn, limit)
        if settings is not None:
            check_drawn(settings, found.config)
        return found
    if pairs is None or settings is None:
        raise IGRError("Name the pairs: --data ROOT with the CONFIG of the training, or --drawn FOLDER.")
    return open_pairs(pairs, layout_of(model_config(settings), pairs), limit, workers)


def pairs_told(pairs: LaidOut) -> str:
    """One line on what is there to prepare: of records that still grow, what there is by now."""
    garments = len({name for name in pairs.garments if name is not None})
    shown = f", photos of {garments} garments in their clothes" if garments else ""
    return f"{len(pairs)} pairs{shown}."


def init(
    sd: Annotated[Path, typer.Option(help="Stable Diffusion 1.5: the single file, or a folder in diffusers' layout.")],
    ip_adapter: Annotated[Path, typer.Option(help="ip-adapter_sd15 or ip-adapter-plus_sd15 (.safetensors or .bin).")],
    image_encoder: Annotated[Path, typer.Option(help="IP-Adapter's image_encoder: CLIP ViT-H, folder or file.")],
    out: Annotated[Path, typer.Option(help="Bundle to write (.safetensors).")],
    licence: Annotated[str, typer.Option(help="Licence of the weights, as their sources say.")],
    tokenizer: Annotated[
        Path | None, typer.Option(help="SD1.5's tokenizer folder, where --sd is a single file.")
    ] = None,
    vae: Annotated[Path | None, typer.Option(help="Another VAE than SD1.5's: file or folder.")] = None,
    denoiser: Annotated[Path | None, typer.Option(help="Another UNet of SD1.5's kind: file or folder.")] = None,
    garmnet: Annotated[
        Path | None,
        typer.Option(help="A UNet for GarmNet, such as OOTDiffusion's unet_garm; else the denoiser's copy."),
    ] = None,
    size: Annotated[str, typer.Option(help="WxH that the model will be trained at.")] = "768x1024",
    view: Annotated[str, typer.Option(help="whole (the paper's) or focused on the garment.")] = "whole",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or bf16.")] = "fp16",
) -> None:
    """Write the bundle that training starts from; GarmNet is a copy of the denoiser, its mask channel zero."""
    if precision not in PRECISIONS:
        raise typer.BadParameter(f"{precision!r} is none of {', '.join(PRECISIONS)}.", param_hint="--precision")
    if view not in ("whole", "focused"):
        raise typer.BadParameter(f"{view!r} is neither whole nor focused.", param_hint="--view")
    sources = Sources(sd, ip_adapter, image_encoder, tokenizer, vae, denoiser, garmnet)
    write_init(out, sources, licence, parse_size(size, 8), ViewConfig(view), precision)  # type: ignore[arg-type]
    typer.echo(f"{out} ({out.stat().st_size / 1e6:.1f} MB)")


def estimate_cost(
    config: Annotated[Path, typer.Argument(help="YAML file of a TrainConfig.")],
    processes: Annotated[int, typer.Option(min=1, help="Cards.")] = 1,
    changes: Changes = None,
    sd15: Annotated[
        bool, typer.Option("--sd15", help="Take SD1.5's shape where init_bundle is not there yet.")
    ] = False,
    cards: Annotated[bool, typer.Option("--cards", help="Also hours and cost of the run by kind of card.")] = False,
) -> None:
    """Estimate memory and work of a training step from the counts of weights and activations."""
    settings = load_config(TrainConfig, config, changes or ())
    if sd15:
        model = replace(settings.model, native_size=settings.size or settings.model.native_size)
    else:
        model = model_config(settings)
    found = estimate(settings, model, processes)
    rows = settings.data.pairs_per_batch * settings.data.draws_per_pair
    typer.echo(
        f"estimated, for each of {processes}: {found.trained / 1e6:.0f} M trained weights; "
        f"weights {found.weights:.1f} GB, gradients {found.gradients:.1f}, optimiser {found.optimizer:.1f}, "
        f"average {found.average:.1f}, activations {found.activations:.1f} for {rows} rows: {found.total:.1f} GB; "
        f"{found.teraflops:.0f} TFLOP a micro-batch, {found.teraflops * settings.accumulation:.0f} a step"
    )
    if settings.gradient_checkpointing in ("selective", "auto"):
        typer.echo("counted without checkpointing: selective checkpointing needs less memory and hardly more work")
    if cards:
        typer.echo(f"\n{hours_table(found, settings, processes)}")


def bench(
    config: Annotated[Path, typer.Argument(help="YAML file of a TrainConfig; its data is not read.")] = DEMO,
    rounds: Annotated[int, typer.Option(min=1, help="Times that every variant is measured, in turns.")] = 5,
    changes: Changes = None,
    device: DeviceOption = "auto",
    everything: Annotated[
        bool, typer.Option("--all", help="Also compiled layers, and bf16 where nothing makes it fast: minutes a step.")
    ] = False,
) -> None:
    """Measure steps on random pairs, on one thread for each of OMP_NUM_THREADS; nothing is written."""
    settings = load_config(TrainConfig, config, changes or ())
    model_config(settings)
    place = choose_device(device)
    runners = [Runner(settings, variant, place) for variant in variants(settings, place, everything)]
    for runner in runners:
        runner.step()
    for _ in range(rounds):
        for runner in runners:
            runner.timed()
    clock = "wall clock" if place.type == "cuda" else f"CPU time on {torch.get_num_threads()} threads"
    typer.echo(f"auto picks: {runners[-1].variant.acceleration.describe()}")
    typer.echo(f"median of {rounds} rounds, all variants in turns, {clock}\n\n{table(runners)}")


def export(
    run: Annotated[Path, typer.Argument(help="Run folder of python -m training train.")],
    out: Annotated[Path, typer.Option(help="Bundle to write (.safetensors).")],
    name: Annotated[str, typer.Option(help="What the model is called.")],
    data: Annotated[str, typer.Option(help="What it was trained on, in words.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "Apache-2.0",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or bf16.")] = "fp16",
    scores: Annotated[
        Path | None, typer.Option(help="Experiment that scored the same export (evaluate run), put into it.")
    ] = None,
) -> None:
    """Write the averaged weights of a run's newest checkpoint as one bundle."""
    if precision not in PRECISIONS:
        raise typer.BadParameter(f"{precision!r} is none of {', '.join(PRECISIONS)}.", param_hint="--precision")
    path = export_run(run, out, name, licence, precision, data, partial(compact_scores, scores) if scores else None)
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def unpack(
    bundle: Annotated[Path, typer.Argument(help="The bundle.", show_default="the demo")] = DEMO_BUNDLE,
    out: Annotated[Path, typer.Option(help="Folder that gets one folder for each part.")] = Path("runs"),
    part: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}; all if left out.")] = None,
) -> None:
    """Write the frozen parts of BUNDLE as train-vae and train-image-encoder write theirs."""
    for name in part or PARTS:
        if name not in PARTS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(PARTS)}.", param_hint="--part")
    opened = Bundle.open(bundle)
    for name in part or PARTS:
        typer.echo(str(unpack_part(opened, name, out)))
