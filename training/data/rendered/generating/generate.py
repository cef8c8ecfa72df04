"""Rendering records into shards: by several processes or many machines, going on where an earlier run was stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from igr_core.errors import IGRError

from ...contract.pairs import HELD_OUT_START
from ...files.storage import Folder
from ..base.settings import RenderSettings
from ..records.record import record_name
from ..records.shards import Made, Stamp
from ..records.spool import pending_shards
from .fingerprints import render_fingerprint, renderer_versions
from .pools import Maker, make_here, make_in_processes, render_record

PER_SHARD = 32
"""Records in a shard."""
MAX_FAILURES = 3
"""Consecutive seeds that may end in an error or a dead worker before a run stops."""


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
    run, several in a row end this one.
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
        for one in _checked(made, bar, failed):
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


def _checked(made: Iterator[Made], bar: tqdm, failed: list[int]) -> Iterator[Made]:
    """What was made, without the seeds that ended in an error, which are added to `failed`.

    Seeds that killed their workers are passed on only when another seed succeeds after them, or at the end.
    """
    in_a_row = 0
    killed: list[Made] = []
    for one in made:
        if not (one.failure or one.killed):
            in_a_row = 0
            yield from killed
            killed = []
            yield one
            continue
        in_a_row += 1
        bar.write(f"{record_name(one.seed)} could not be rendered:\n{one.failure or 'its worker died each time'}")
        if one.failure:
            failed.append(one.seed)
        else:
            killed.append(one)
        if in_a_row == MAX_FAILURES:
            raise IGRError(
                f"{MAX_FAILURES} garments in a row could not be rendered, {record_name(one.seed)} the last: see the "
                "errors above, and lower --workers if memory is short; what is done is kept."
            )
    yield from killed


def _check_seeds(seeds: range, settings: RenderSettings) -> None:
    if len(seeds) == 0 or seeds.start < 0 or seeds.step != 1:
        raise IGRError(f"There is nothing to render in {seeds}: give a first seed from 0 on and at least one garment.")
    if settings.held_out and seeds.start < HELD_OUT_START:
        raise IGRError(f"Held-out garments start at seed {HELD_OUT_START}, not {seeds.start}.")
    if not settings.held_out and seeds.stop > HELD_OUT_START:
        raise IGRError(f"Seeds from {HELD_OUT_START} on are held out: end before them, or render a held-out set.")
