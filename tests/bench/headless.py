"""The part of `make bench` that measures the command line: restoring with and without pruning, and with --compile.

run.py starts it as a script, `python -m tests.bench.headless`, and reads the report that it writes.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from igr_core.model.pruning_config import ALL, NEAR, Pruning
from igr_core.photo.images import load_mask, load_photo
from igr_core.photo.view import GarmentView, make_view
from igr_core.restore.restorer import GarmentRestorer
from igr_core.sampling.loop import Conditions, sample_latents
from igr_core.sampling.presets import Sampling
from igr_core.sampling.schedule import draw_noise
from tests.bench.worker import GUIDANCE, Order, say, seconds

EXAMPLES = Path(__file__).parents[2] / "nodes" / "examples"
CATEGORY = "upper"


def view_of(restorer: GarmentRestorer, size: tuple[int, int]) -> GarmentView:
    """The whole view of the example person, as in the worker."""
    photo, mask = load_photo(EXAMPLES / f"{CATEGORY}.webp"), load_mask(EXAMPLES / f"{CATEGORY}_mask.png")
    config = restorer.info.model
    whole = dataclasses.replace(config.view, mode="whole")
    return make_view(photo, mask, size, whole, config.image_encoder.image_size, CATEGORY)


def variants(restorer: GarmentRestorer, size: tuple[int, int]) -> dict[str, Callable[[int], object]]:
    """The variants to compare, by name: functions that run a number of steps."""
    config, view = restorer.info.model, view_of(restorer, size)
    f = config.vae.downscale
    noise = draw_noise((1, config.vae.latent_channels, size[1] // f, size[0] // f), 0).to(restorer.device)

    def conditions(pruning: Pruning) -> Conditions:
        restorer.pruning = pruning
        return restorer.conditions(view, [CATEGORY])

    def run(conditions: Conditions, stance: str, steps: int) -> object:
        with torch.compiler.set_stance(stance):
            return sample_latents(restorer.model, noise, conditions, Sampling(steps, GUIDANCE))

    near = conditions(NEAR)
    return {
        "headless_plain": partial(run, Conditions([CATEGORY], None, None), "force_eager"),
        "headless": partial(run, near, "force_eager"),
        "headless_all": partial(run, conditions(ALL), "force_eager"),
        "headless_compiled": partial(run, near, "default"),
    }


def measure(order: Order, bundle: Path) -> dict[str, object]:
    """Time all variants in turns, after one warm-up step of each, and the extra time of the first compiled step."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    restorer = GarmentRestorer.from_bundle(bundle, device, torch.float16 if device.type == "cuda" else torch.float32)
    runs = variants(restorer, order.size)
    restorer.compile()
    first: dict[str, float] = {}
    for name, run in runs.items():
        say(f"first step: {name}")
        first[name] = seconds(partial(run, 1))[0]
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(order.rounds):
        for name, run in runs.items():
            say(f"round {number + 1} of {order.rounds}: {name}")
            times[name].append(seconds(partial(run, order.steps)))
    return {"times": times, "compiling": first["headless_compiled"] - first["headless"]}


def main() -> None:
    """Read the task and the bundle's path, measure, and write the report."""
    order = Order(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    report = measure(order, Path(sys.argv[2]))
    Path(order.report).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
