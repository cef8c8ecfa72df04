"""`make bench`: the cost of IGR compared with the host's plain sampling, in one run, as ratios.

The variants run in turns in one process of the host's Python (worker.py), and those of the command line in another
process (headless.py). Each ratio compares two runs of the same round, and the table shows the median over the rounds.
Wall-clock times are unreliable on a shared machine, so without a GPU the table also shows CPU time.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from igr_core.errors import IGRError
from igr_core.files import atomic_file
from igr_core.model.bundle import save_bundle
from igr_core.model.config import PROMPT_NAMES, ModelConfig
from igr_core.model.igr import IGR
from igr_core.model.networks import build_image_encoder, build_vae
from igr_core.photo.inputs import parse_size
from tests.bench.worker import Order
from tests.support.host.server import ROOT, find_host
from tests.support.models import tiny

START, END = "<!-- bench -->", "<!-- /bench -->"
BUNDLE = "bench.safetensors"
STDERR = 2
"""Stream for the worker's progress, so that standard output contains only the table."""
TIMES = (
    ("IGR Sample", "igr", "plain KSampler, unpatched model", "plain", "≤ 1.12"),
    ("IGR Sample, all reference features kept", "igr_all", "plain KSampler, unpatched model", "plain", {}),
    ("naive form: both halves, both rows", "naive", "plain KSampler, unpatched model", "plain", {}),
    ("unconditional row, patched", "uncond_patched", "the same row, unpatched", "uncond", "0.97–1.03"),
    ("GarmNet pass", "garmnet", "one single-row step", "uncond", "≤ 1.1"),
    ("GarmNet Encode, VAE and image encoder included", "encode", "one single-row step", "uncond", {}),
    ("command line", "headless", "the same without a photo", "headless_plain", {}),
    ("command line, --keep-reference all", "headless_all", "the same without a photo", "headless_plain", {}),
    ("command line, --compile", "headless_compiled", "without --compile", "headless", {}),
)
"""The timed variant, its baseline, and the target: for GPU and CPU, one for both, or none."""
ONCE = ("garmnet", "encode")
"""Variants that run once per photo, not once per step."""
PEAKS = (
    ("IGR Sample", "igr", "plain KSampler", "plain", "≤ 1.03"),
    ("naive form", "naive", "plain KSampler", "plain", ""),
    ("GarmNet pass", "garmnet", "plain KSampler", "plain", ""),
)
"""Variants whose peak memory without weights is compared."""


def write_bundle(path: Path, model: ModelConfig) -> None:
    """Write a whole bundle of random half-precision weights that keep activations near 1."""
    with torch.device("meta"):
        networks = IGR(model)
        modules = {
            "denoiser": networks.denoiser,
            "garmnet": networks.garmnet,
            "image_prompt": networks.image_prompt,
            "vae": build_vae(model.vae),
            "image_encoder": build_image_encoder(model.image_encoder),
        }
    pool = torch.randn(2**22, generator=torch.Generator().manual_seed(0)).half()

    def draw(name: str, shape: torch.Size) -> torch.Tensor:
        if len(shape) < 2:
            return torch.full(shape, float(name.endswith("weight")), dtype=torch.half)
        count, inputs = shape.numel(), shape[1:].numel()
        return pool.repeat(-(-count // len(pool)))[:count].reshape(shape).mul_(inputs**-0.5)

    parts = {
        label: {name: draw(name, value.shape) for name, value in module.state_dict().items()}
        for label, module in modules.items()
        if module is not None
    }
    embedding = torch.Size((model.prompt_tokens, model.denoiser.cross_attention_dim))
    parts["prompts"] = {name: draw(name, embedding) for name in PROMPT_NAMES}
    save_bundle(path, dataclasses.replace(tiny.INFO, model=model, name="bench"), parts)


def lay_out(base: Path, model: ModelConfig) -> None:
    """Make a base directory for the host, with the bundle in models/igr.

    The bundle is written by a separate process, so that its memory is free again before measuring begins.
    """
    for name in ("custom_nodes", "input", "models/igr", "output", "temp", "user"):
        (base / name).mkdir(parents=True)
    place = base / "models" / "igr" / BUNDLE
    writer = multiprocessing.get_context("spawn").Process(target=write_bundle, args=(place, model))
    writer.start()
    writer.join()
    if writer.exitcode:
        raise IGRError("The bench could not write its bundle: the error above says why.")


def has_gpu(python: Path) -> bool:
    """Whether the host's Python detects a GPU."""
    probe = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([str(python), "-c", probe], check=False).returncode == 0


def run_worker(python: Path, order: Order, base: Path) -> dict[str, Any]:
    """Measure in the host's Python, then the command line in this one.

    Raises IGRError with the end of the log if one of them fails.
    """
    paper = base / "order.json"
    paper.write_text(json.dumps(dataclasses.asdict(order)), encoding="utf-8")
    host = [str(python), str(Path(__file__).with_name("worker.py")), str(paper)]
    bundle = base / "models" / "igr" / order.bundle
    here = [sys.executable, "-m", "tests.bench.headless", str(paper), str(bundle)]
    report: dict[str, Any] = {"times": {}}
    for command, folder, place in ((host, base, "inside ComfyUI"), (here, ROOT, "on the command line")):
        with (base / "worker.log").open("w+", encoding="utf-8") as log:
            if subprocess.run(command, cwd=folder, stdout=STDERR, stderr=log, check=False).returncode:
                log.seek(0)
                raise IGRError(f"{log.read()[-3000:]}\nThe bench failed {place}: the lines above say why.")
        found = json.loads(Path(order.report).read_text(encoding="utf-8"))
        report |= found | {"times": report["times"] | found["times"]}
    return report


def ratios(report: dict[str, Any], steps: int, one: str, other: str, column: int) -> list[float]:
    """Paired ratios of two variants, round by round: of wall-clock time (column 0) or CPU time (1)."""
    scale = steps if one in ONCE else 1
    pairs = zip(report["times"][one], report["times"][other], strict=True)
    return [scale * mine[column] / theirs[column] for mine, theirs in pairs]


def table(report: dict[str, Any], order: Order) -> str:
    """The report in Markdown: time, memory, and a description of the machine."""
    gpu = report["machine"]["gpu"]
    columns = {0: "by the clock"} if gpu else {0: "by the clock", 1: "by CPU time"}
    lines = []
    for label, one, against, other, target in TIMES:
        found = [_times(ratios(report, order.steps, one, other, column)) for column in columns]
        lines.append([label, against, *found, target if isinstance(target, str) else target.get(gpu, "")])
    step = statistics.median(clock for clock, _ in report["times"]["igr"]) / order.steps
    click, blank = "click to first step: load, view, encode, apply, step", [""] * len(columns)
    lines.append([click, "one step of IGR Sample", _once(report["click"], step), *blank])
    lines.append(
        [
            "loading the bundle, from the page cache",
            "click to first step",
            _once(report["loading"], report["click"]),
            *blank,
        ]
    )
    titles = ["time of", "against", *columns.values(), "target"]
    return "\n".join((_markdown(titles, lines), _memory(report), _caption(report, order)))


def _memory(report: dict[str, Any]) -> str:
    lines = [
        [
            label,
            against,
            _times([report["peaks"][one] / report["peaks"][other]]),
            _megabytes(report["peaks"], one, other),
        ]
        + [target]
        for label, one, against, other, target in PEAKS
    ]
    weights = report["weights"]
    share = _times([weights["garmnet"] / weights["denoiser"]])
    lines.append(["GarmNet's weights", "denoiser's weights", share, _megabytes(weights, "garmnet", "denoiser"), ""])
    return _markdown(["peak memory beside the weights of", "against", "ratio", "MB", "target"], lines)


def _caption(report: dict[str, Any], order: Order) -> str:
    told = report["machine"]
    parts = [
        told["device"],
        f"ComfyUI {told['host']}, {told['attention']} attention",
        f"torch {told['torch']}",
        "{}×{}".format(*order.size),
        told["precision"],
        f"{report['model']} with random weights",
        f"median (least–most) of the ratios in {_count(order.rounds, 'round')} of {_count(order.steps, 'step')}, ddim, "
        "guidance 1.5",
        f"compiling takes {report['compiling']:.0f} s once",
        report["busy"],
    ]
    return "; ".join(part for part in parts if part) + ".\n"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _times(found: list[float]) -> str:
    """The median, with minimum and maximum if there are several values."""
    spread = f" ({min(found):.2f}–{max(found):.2f})" if len(found) > 1 else ""
    return f"{statistics.median(found):.2f}×{spread}"


def _once(seconds: float, other: float) -> str:
    """The ratio of two times that were each measured once, followed by the first time."""
    return f"{seconds / other:.2f}× ({seconds:.3g} s)"


def _megabytes(amounts: dict[str, int], one: str, other: str) -> str:
    return f"{amounts[one] / 1e6:.4g} : {amounts[other] / 1e6:.4g}"


def _markdown(titles: list[str], lines: list[list[str]]) -> str:
    rule = ["---", "---", *["---:"] * (len(titles) - 2)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (titles, rule, *lines))


def fill_markers(path: Path, text: str) -> None:
    """Put `text` between a Markdown file's bench markers; raises IGRError unless each marker occurs exactly once, in
    order.
    """
    page = path.read_text(encoding="utf-8")
    if page.count(START) != 1 or page.count(END) != 1 or page.index(START) > page.index(END):
        raise IGRError(f"{path} must hold {START} and then {END}, each once: put them where the table belongs.")
    before, rest = page.split(START)
    with atomic_file(path) as temporary:
        temporary.write_text(f"{before}{START}\n{text.strip()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def _busy() -> str:
    """Report whether other programs are running, which increases the spread of the ratios."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"measured beside other programs (load average {load:.1f} before the start)" if load > 0.5 else ""


def main(
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT; 768x1024 with a GPU, 384x512 without one.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of a run; 25 with a GPU, 2 without one.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds; 5 with a GPU, 3 without one.")] = None,
    into: Annotated[Path | None, typer.Option(help=f"Also put it between {START} and {END} of this file.")] = None,
    small: Annotated[bool, typer.Option("--tiny", help="Try the bench itself on a tiny model.")] = False,
) -> None:
    """Measure the cost of IGR compared with ComfyUI's plain sampling, as ratios."""
    found = find_host()
    if isinstance(found, str):
        sys.stderr.write(f"The bench runs in a real ComfyUI, and there is {found}.\n")
        raise typer.Exit(1)
    model = tiny.MODEL if small else ModelConfig()
    (host, python), busy = found, _busy()
    try:
        wanted = parse_size(size or "64x80", model.size_step) if size or small else None
        (ROOT / "out").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ROOT / "out", prefix="bench-") as folder:
            base, gpu = Path(folder), has_gpu(python)
            lay_out(base, model)
            order = Order(
                host=str(host),
                pack=str(ROOT),
                flags=("--base-directory", folder, "--verbose", "WARNING", *(() if gpu else ("--cpu",))),
                bundle=BUNDLE,
                size=wanted or ((768, 1024) if gpu else (384, 512)),
                steps=steps or (25 if gpu else 2),
                rounds=rounds or (5 if gpu else 3),
                report=str(base / "report.json"),
            )
            report = run_worker(python, order, base)
        text = table(report | {"busy": busy, "model": "a tiny model" if small else "an SD1.5-sized model"}, order)
        sys.stdout.write(text)
        if into is not None:
            fill_markers(into, text)
    except IGRError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
