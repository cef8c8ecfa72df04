"""CPU seconds per stage of rendering and dressing: `make bench-render`."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator

from igr_core.errors import IGRError

from .base.settings import RenderSettings
from .base.timing import Seconds, measured, stage
from .generating.pools import render_record
from .records.record import Record, from_members, to_members

STAGES = ("body", "tailor", "drape", "render", "encode", "decode", "dress", "textures", "shading", "lens")
"""Stages in order of execution; other measured stages are listed after them."""
DRESSING = ("dress", "textures", "shading", "lens")
"""Stages of dressing a photo and its product shot; the first covers all time not spent in the others."""
DRESSINGS = 4
"""Number of times each photo is dressed."""


def bench(garments: int, start: int, settings: RenderSettings) -> Iterator[str]:
    """Yield the lines of a report: CPU seconds by stage per garment and per photo, bytes per photo, and peak memory.

    Raises IGRError if every attempt at a seed is rejected, or if the `render` extra is not installed.
    """
    begin = time.process_time()
    _dress(_render(start + garments, settings)[0])
    yield f"Warm-up, once per process: {time.process_time() - begin:.1f} CPU s"
    photos = weight = rejected = 0
    worn = flat = 0.0
    begin = time.process_time()
    with measured() as seconds:
        for seed in range(start, start + garments):
            record, size_of, tries = _render(seed, settings)
            photos += len(record.photos)
            weight += size_of
            rejected += tries
            photo_seconds, product_seconds = _dress(record)
            worn += photo_seconds
            flat += product_seconds
    whole = time.process_time() - begin - worn - flat
    yield _table(seconds, garments, photos)
    yield (
        f"{whole / photos:.2f} CPU s per new photo, including its share of the product shot\n"
        f"{1000 * worn / (photos * DRESSINGS):.0f} CPU ms to dress a photo again, "
        f"{1000 * (worn + flat) / (photos * DRESSINGS):.0f} with its product shot\n"
        f"{weight / 1000 / photos:.0f} KB per photo, including its share of the product shot; "
        f"{rejected} of {photos + garments + rejected} attempts rejected\n"
        f"Peak memory {_peak_bytes() / 1e9:.2f} GB"
    )


def _render(seed: int, settings: RenderSettings) -> tuple[Record, int, int]:
    """Render, encode and decode a seed's record; returns it, its size in bytes, and the number of rejected attempts."""
    made, rejects = render_record(seed, settings)
    if made is None:
        raise IGRError(f"Every attempt at seed {seed} was rejected: use other seeds with --start.")
    with stage("encode"):
        members = to_members(made, rejects)
    with stage("decode"):
        record = from_members(members, f"seed {seed}")
    return record, sum(map(len, members.values())), sum(rejects.values())


def _dress(record: Record) -> tuple[float, float]:
    """Dress every photo of a record DRESSINGS times; returns the CPU seconds for photos and for product shots."""
    from .pairs import dress_product, dress_record

    worn = flat = 0.0
    for photo in range(len(record.photos)):
        for dress_seed in range(DRESSINGS):
            begin = time.process_time()
            product = dress_product(record, dress_seed)
            middle = time.process_time()
            dress_record(record, photo, dress_seed, product=product)
            flat += middle - begin
            worn += time.process_time() - middle
    return worn, flat


def _table(seconds: Seconds, garments: int, photos: int) -> str:
    names = [name for name in STAGES if name in seconds] + sorted(set(seconds) - set(STAGES))
    lines = [f"{'stage':<12}{'CPU s / garment':>16}{'CPU s / photo':>16}"]
    for name in names:
        # every photo is dressed several times, but stored only once
        count = photos * (DRESSINGS if name in DRESSING else 1)
        lines.append(f"{name:<12}{seconds[name] / garments:>16.3f}{seconds[name] / count:>16.3f}")
    return "\n".join(lines)


def _peak_bytes() -> int:
    """Peak memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
