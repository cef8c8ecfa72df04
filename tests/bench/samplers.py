"""`make samplers`: IGR Apply under every guider, sampler and model patch of the host, against the same graph unpatched.

Each graph runs with strength 0, which must equal the unpatched model bit for bit, and with the reference, which must
equal the guidance that a guider is equivalent to, or be the same before and after another patch. A quick part of these
checks is in tests/host/test_guiders.py.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from tests.support.host.graphs import LATENT, TINY, node, restore, with_inputs
from tests.support.host.guiders import CASES, EULER, PATCHED, PLAIN, Case, cfg, guided, on_plain_model
from tests.support.host.server import Graph, PromptFailed, PromptRefused, Server, find_host, running_server
from tests.support.models.tiny import save_runnable

OFF = {"reference_strength": 0.0, "image_prompt_strength": 0.0}
FEW = ("plain", "dual, second is the negative, 2", "two models, both patched", "PerpNeg guider, negative is empty")
"""Guiders that every sampler runs with; the others run with euler."""
TOLERANCE = 1e-3
"""Maximum difference between two ways to compute the same guidance, as a fraction of the largest value."""


class Tally:
    """The findings, one per line."""

    def __init__(self) -> None:
        self.done = self.failed = 0

    def note(self, what: str, faults: list[str]) -> None:
        """Count a graph and print what is wrong with it."""
        self.done += 1
        self.failed += bool(faults)
        if faults:
            sys.stdout.write(f"{what}: {'; '.join(faults)}\n")
            sys.stdout.flush()

    def skip(self, what: str, reason: str) -> None:
        """Report a graph that this host cannot run even without IGR."""
        sys.stdout.write(f"{what}: left out, the unpatched graph fails: {reason[:120]}\n")


def defaults(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The default of every required input of a node, or None if it needs a link other than a MODEL."""
    found: dict[str, Any] = {}
    for name, given in schema["input"].get("required", {}).items():
        kind, options = given[0], given[1] if len(given) > 1 else {}
        choices = kind if isinstance(kind, list) else options.get("options")
        if kind == "MODEL":
            continue
        if "default" not in options and not choices:
            return None
        found[name] = options.get("default", choices[0] if choices else None)
    return found


def samplers(schemas: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every sampler of the host by its name, and every node that makes one."""
    given = schemas["KSamplerSelect"]["input"]["required"]["sampler_name"]
    for name in given[0] if isinstance(given[0], list) else given[1]["options"]:
        yield name, node("KSamplerSelect", sampler_name=name)
    for kind, schema in schemas.items():
        inputs = defaults(schema)
        if schema["output"] == ["SAMPLER"] and kind != "KSamplerSelect" and inputs is not None:
            yield kind, node(kind, **inputs)


def model_patches(schemas: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of the host that changes a MODEL with its default inputs; compiling has separate tests."""
    for kind, schema in schemas.items():
        takes = [given[0] for given in schema["input"].get("required", {}).values()]
        inputs = defaults(schema)
        own = kind.startswith(("IGR", "Probe")) or "Compile" in kind
        if schema["output"] == ["MODEL"] and takes.count("MODEL") == 1 and inputs is not None and not own:
            yield kind, node(kind, model=PATCHED, **inputs)


def differs(one: torch.Tensor, other: torch.Tensor) -> bool:
    return not bool((one - other).abs().max() <= TOLERANCE * other.abs().max())


def check_guider(server: Server, tally: Tally, name: str, case: Case, sampler: dict[str, Any], linear: bool) -> None:
    """One guider with one sampler."""
    try:
        plain = server.latents(on_plain_model(guided(case, sampler, steps=3)), LATENT)
    except (PromptFailed, PromptRefused) as error:
        return tally.skip(name, str(error))
    faults = []
    off = server.latents(guided(case, sampler, steps=3, **OFF), LATENT)
    unmarked = any(one["class_type"] == "ProbeBare" for one in case.more.values())
    if (
        differs(off, plain) if unmarked else not torch.equal(off, plain)
    ):  # without marks, because the host splits the plain call
        faults.append("strength 0 is not the unpatched model")
    given = server.latents(guided(case, sampler, steps=3), LATENT)
    if not differs(given, plain):
        faults.append("the reference does not act")
    expected = server.latents(guided(Case(cfg(case.guidance)), sampler, steps=3), LATENT) if linear else given
    if differs(given, expected):
        faults.append(f"not the guidance of CFGGuider at {case.guidance}")
    tally.note(name, faults)


def check_patch(server: Server, tally: Tally, name: str, patch: dict[str, Any]) -> None:
    """One patch of the host before and after IGR Apply."""

    def graph(place: str, **apply: Any) -> Graph:
        made = with_inputs(restore(steps=2), "apply", **apply)
        if place == "before":
            made["other"] = {**patch, "inputs": {**patch["inputs"], "model": PLAIN}}
            return with_inputs(made, "apply", model=["other", 0])
        made["other"] = {**patch, "inputs": {**patch["inputs"], "model": PLAIN if place == "alone" else PATCHED}}
        return with_inputs(made, "sample", model=["other", 0])

    try:
        alone = server.latents(graph("alone"), LATENT)
    except (PromptFailed, PromptRefused) as error:
        return tally.skip(name, str(error))
    if not torch.isfinite(alone).all():
        return tally.skip(name, "no finite numbers")
    faults = []
    before, after = (server.latents(graph(place), LATENT) for place in ("before", "after"))
    for place in ("before", "after"):
        if not torch.equal(server.latents(graph(place, **OFF), LATENT), alone):
            faults.append(f"{place}: strength 0 is not the unpatched model")
    if differs(before, after):
        faults.append("not the same before and after")
    if not differs(before, alone) or not differs(after, alone):
        faults.append("the reference does not act")
    tally.note(name, faults)


def check_all(server: Server, tally: Tally, crossed: bool) -> None:
    """Guiders, samplers and patches; `crossed` runs every guider with every sampler."""
    schemas = server.get("/object_info")
    cases = {"plain": Case(cfg()), **CASES}
    for name, case in cases.items():
        check_guider(server, tally, name, case, EULER, linear=True)
    for sampler, made in samplers(schemas):
        for name in cases if crossed else FEW:
            linear = (
                "cfg_pp" not in sampler.lower() and "cfgpp" not in sampler.lower()
            )  # these use the unconditional input as well
            check_guider(server, tally, f"{sampler}, {name}", cases[name], made, linear)
    for name, patch in model_patches(schemas):
        check_patch(server, tally, name, patch)


def main(
    crossed: Annotated[bool, typer.Option("--crossed", help="Run every guider with every sampler.")] = False,
) -> None:
    """Run the matrix on the host of the tests (COMFYUI_PATH) and print what is wrong."""
    found = find_host()
    if isinstance(found, str):
        sys.stderr.write(f"{found}\n")
        raise typer.Exit(1)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="igr-samplers-") as folder:
        base = Path(folder)
        (base / "models" / "igr").mkdir(parents=True)
        save_runnable(base / "models" / "igr" / TINY)
        with running_server(*found, base) as server:
            check_all(server, tally, crossed)
    sys.stdout.write(f"{tally.done} graphs, {tally.failed} wrong\n")
    raise typer.Exit(1 if tally.failed else 0)


if __name__ == "__main__":
    typer.run(main)
