"""Rendering records into shards: by several processes or many machines, going on where an earlier run was stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from igr_core.errors import IGRError

from ...contract.seeds import HELD_OUT_START
from ...files.storage import Folder
from ..base.settings import RenderSettings
from ..records.record import record_name
from ..records.shards import FAILED, Made, Stamp
from ..records.spool import pending_shards
from .defaults import PER_SHARD
from .fingerprints import render_fingerprint, renderer_versions
from .pools import Maker, make_here, make_in_processes, render_record

MAX_FAILURES = 3
"""Consecutive seeds that may end in an error or a dead worker before a run stops."""
MAX_RUNS = 3
"""Runs that may fail at a seed, while they succeed at others, before it is given up."""


def generate(
    out: str | Path,
    seeds: range,
    settings: RenderSettings,
    workers: int = 2,
    ray: str | None = None,
    *,
    per_shard: int = PER_SHARD,
    maker: Maker = render_record,
) -> Counter[str]:
    """Render the records of `seeds` into shards at `out`, a folder or a URL; gives what was rejected now, by reason.

    What is there already is kept, of a shard that is not whole each record that was done; the shards are the same
    bytes, however many processes (`workers`) or machines (`ray`: auto, or the address of a cluster) take part. Raises
    IGRError for shards of other settings, another version of the generator or another size, for seeds that
    `settings.held_out` does not go with, and when the generator fails: a seed that ends in an error is left to a later
    run and given up after MAX_RUNS of them, and several in a row end this run.
    """
    _check_seeds(seeds, settings)
    stamp = Stamp(settings, render_fingerprint(), renderer_versions())
    shards = list(pending_shards(Folder(out), seeds, stamp, per_shard))
    for shard in shards:
        shard.close()  # a run that was killed may have left only this to do
    owners = {seed: shard for shard in shards for seed in shard.missing}
    rejects: Counter[str] = Counter()
    failed: list[int] = []
    if not owners:
        return rejects
    made = _engine(list(owners), settings, maker, workers, ray)
    with tqdm(total=len(seeds), initial=len(seeds) - len(owners), unit="garment", desc=f"rendering into {out}") as bar:
        for one in _checked(made, bar):
            if one.failure:
                if owners[one.seed].failed(one) < MAX_RUNS:
                    failed.append(one.seed)
                    continue
                bar.write(f"{record_name(one.seed)} is given up: {MAX_RUNS} runs have failed at it.")
                one = Made(one.seed, None, {FAILED: 1})
            owners[one.seed].add(one)
            rejects.update(one.rejects)
            bar.set_postfix_str(format_rejects(rejects), refresh=False)
            bar.update()
    if failed:
        raise IGRError(
            f"{len(failed)} of the garments could not be rendered, {record_name(failed[0])} the first: see the errors "
            "above; what is done is kept, run it again to try them once more."
        )
    return rejects


def format_rejects(rejects: Counter[str]) -> str:
    """The reasons with their counts in words, most frequent first."""
    return ", ".join(f"{reason} {count:,}" for reason, count in rejects.most_common())


def _engine(
    seeds: Sequence[int], settings: RenderSettings, maker: Maker, workers: int, ray: str | None
) -> Iterator[Made]:
    if ray is not None:
        from .ray_engine import make_with_ray

        return make_with_ray(seeds, settings, maker, ray)
    return make_here(seeds, settings, maker) if workers == 1 else make_in_processes(seeds, settings, maker, workers)


def _checked(made: Iterator[Made], bar: tqdm) -> Iterator[Made]:
    """What was made; seeds that failed or killed their workers only once another one succeeds, or at the end.

    Raises IGRError after MAX_FAILURES of them in a row, of which none is passed on: the fault is not theirs.
    """
    lost: list[Made] = []
    for one in made:
        if not (one.failure or one.killed):
            yield from lost
            lost = []
            yield one
            continue
        bar.write(f"{record_name(one.seed)} could not be rendered:\n{one.failure or 'its worker died each time'}")
        lost.append(one)
        if len(lost) == MAX_FAILURES:
            raise IGRError(
                f"{MAX_FAILURES} garments in a row could not be rendered, {record_name(one.seed)} the last: see the "
                "errors above, and lower --workers if memory is short; what is done is kept."
            )
    yield from lost


def _check_seeds(seeds: range, settings: RenderSettings) -> None:
    if len(seeds) == 0 or seeds.start < 0 or seeds.step != 1:
        raise IGRError(f"There is nothing to render in {seeds}: give a first seed from 0 on and at least one garment.")
    if settings.held_out and seeds.start < HELD_OUT_START:
        raise IGRError(f"Held-out garments start at seed {HELD_OUT_START}, not {seeds.start}.")
    if not settings.held_out and seeds.stop > HELD_OUT_START:
        raise IGRError(f"Seeds from {HELD_OUT_START} on are held out: end before them, or render a held-out set.")
