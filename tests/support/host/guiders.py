"""Every core guider and sampler with IGR Apply, and the plain guidance to which each is equivalent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.host.graphs import node, restore
from tests.support.host.server import Graph

POSITIVE, NEGATIVE, PATCHED, PLAIN = ["apply", 1], ["apply", 2], ["apply", 0], ["load", 0]
G = 2.0
"""Guidance of most cases."""
EULER = node("KSamplerSelect", sampler_name="euler")
WHOLE = {"width": 1.0, "height": 1.0, "x": 0.0, "y": 0.0, "strength": 1.0}


@dataclass(frozen=True)
class Case:
    """A guider that is equivalent to CFGGuider at some guidance."""

    guider: dict[str, Any]
    """The node; links to apply are outputs of IGR Apply."""
    guidance: float = G
    """CFGGuider's guidance for the same result; 1 is the positive alone."""
    more: Graph = field(default_factory=dict)
    """Nodes before it."""


def cfg(guidance: float = G, **inputs: Any) -> dict[str, Any]:
    """CFGGuider on the outputs of IGR Apply, unless other inputs are given."""
    return node(
        "CFGGuider", **{"model": PATCHED, "positive": POSITIVE, "negative": NEGATIVE, "cfg": guidance, **inputs}
    )


def dual(first: Any, second: Any, cfg_first: float, cfg_second: float, style: str = "regular") -> dict[str, Any]:
    """DualCFGGuider over two conditionings and IGR Apply's negative."""
    return node(
        "DualCFGGuider",
        model=PATCHED,
        cond1=first,
        cond2=second,
        negative=NEGATIVE,
        cfg_conds=cfg_first,
        cfg_cond2_negative=cfg_second,
        style=style,
    )


def two_models(**inputs: Any) -> dict[str, Any]:
    """DualModelGuider, whose negative runs on a separate model if one is connected."""
    return node("DualModelGuider", model=PATCHED, positive=POSITIVE, negative=NEGATIVE, cfg=G, **inputs)


def perp_neg(negative: Any) -> dict[str, Any]:
    """PerpNegGuider, with IGR Apply's negative as the empty conditioning."""
    return node(
        "PerpNegGuider",
        model=PATCHED,
        positive=POSITIVE,
        negative=negative,
        empty_conditioning=NEGATIVE,
        cfg=G,
        neg_scale=1.0,
    )


def ranged(start: float, end: float) -> dict[str, Any]:
    return node("ConditioningSetTimestepRange", conditioning=POSITIVE, start=start, end=end)


def area(conditioning: Any) -> Graph:
    """The whole image as an area, which the host copies for the other conditionings."""
    return {"area": node("ConditioningSetAreaPercentage", conditioning=conditioning, **WHOLE)}


def removed(model: Any) -> Graph:
    """The deprecated PerpNeg node, which computes an additional conditioning besides the guider's."""
    return {"other": node("PerpNeg", model=model, empty_conditioning=NEGATIVE, neg_scale=1.0)}


CASES = {
    "basic": Case(node("BasicGuider", model=PATCHED, conditioning=POSITIVE), 1.0),
    "positive and negative swapped": Case(cfg(0.5, positive=NEGATIVE, negative=POSITIVE), 0.5),
    "dual, second is the negative, 1": Case(dual(POSITIVE, NEGATIVE, G, 1.0)),
    "dual, second is the negative, 2": Case(dual(POSITIVE, NEGATIVE, G, 2.0)),
    "dual, second is the positive": Case(dual(POSITIVE, POSITIVE, 3.0, G)),
    "dual, first is the negative": Case(dual(NEGATIVE, POSITIVE, 1.0, G + 1.0)),
    "nested, second is the negative": Case(dual(POSITIVE, NEGATIVE, G, 1.0, "nested")),
    "nested, first is the negative": Case(dual(NEGATIVE, POSITIVE, 0.5, 2 * G, "nested")),
    "two models, both patched": Case(two_models(model_negative=PATCHED)),
    "two models, negative unpatched": Case(two_models(model_negative=PLAIN)),
    "two models, one connected": Case(two_models()),
    "PerpNeg guider, negative is empty": Case(perp_neg(NEGATIVE)),
    "PerpNeg guider, negative is positive": Case(perp_neg(POSITIVE)),
    "PerpNeg node after": Case(cfg(model=["other", 0]), more=removed(PATCHED)),
    "positive in an area": Case(cfg(positive=["area", 0]), more=area(POSITIVE)),
    "negative in an area": Case(cfg(negative=["area", 0]), more=area(NEGATIVE)),
    "positive in two ranges": Case(
        cfg(positive=["both", 0]),
        more={
            "first": ranged(0.0, 0.5),
            "second": ranged(0.5, 1.0),
            "both": node("ConditioningCombine", conditioning_1=["first", 0], conditioning_2=["second", 0]),
        },
    ),
    "positive made anew": Case(cfg(positive=["bare", 0]), more={"bare": node("ProbeBare", conditioning=POSITIVE)}),
    "both made anew": Case(
        cfg(positive=["bare", 0], negative=["bare_negative", 0]),
        more={
            "bare": node("ProbeBare", conditioning=POSITIVE),
            "bare_negative": node("ProbeBare", conditioning=NEGATIVE),
        },
    ),
    "another pack's guider": Case(node("ProbeGuider", model=PATCHED, first=POSITIVE, second=NEGATIVE, cfg=G)),
    "one conditioning at a time": Case(
        cfg(model=["little", 0]), more={"little": node("ProbeLittleMemory", model=PATCHED)}
    ),
}


def guided(case: Case, sampler: dict[str, Any] = EULER, *, steps: int = 2, **apply: Any) -> Graph:
    """Example person -> garment by a guider and sampler of the host; take ["sample", 0]."""
    graph = restore()
    del graph["decode"], graph["show"]
    graph["apply"] = {**graph["apply"], "inputs": {**graph["apply"]["inputs"], **apply}}
    return {
        **graph,
        **case.more,
        "guider": case.guider,
        "noise": node("RandomNoise", noise_seed=3),
        "sampler": sampler,
        "sigmas": node("BasicScheduler", model=PLAIN, scheduler="normal", steps=steps, denoise=1.0),
        "sample": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            latent_image=["apply", 3],
        ),
    }


def on_plain_model(graph: Graph) -> Graph:
    """The graph with the unpatched model wherever the patched one is connected; conditionings stay IGR Apply's."""
    return {
        name: {
            **one,
            "inputs": {key: PLAIN if value == PATCHED else value for key, value in one["inputs"].items()},
        }
        for name, one in graph.items()
    }
