"""Render records into shards with several processes or machines; interrupted runs can be resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from igr_core.errors import IGRError
from igr_core.files import make_folder
from igr_core.storage import Folder, remote

from ....base.run.locking import locked
from ...contract.seeds import HELD_OUT_START
from ..base.settings import RenderSettings
from ..records.record import record_name
from ..records.shards import FAILED, Made, Stamp
from ..records.spool import pending_shards
from .defaults import PER_SHARD
from .fingerprints import render_fingerprint, renderer_versions
from .pools import Maker, make_here, make_in_processes, render_record

MAX_FAILURES = 3
"""Number of consecutive seeds that must fail before a run stops."""
MAX_RUNS = 3
"""Number of runs in which a seed, but not others, must fail before the seed is skipped permanently."""


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
    """Render the records of `seeds` into shards at `out`, a folder or a URL; returns the rejected attempts by reason.

    Existing shards are kept, as are the finished records of an incomplete shard. The shards contain the same
    bytes for any number of processes (`workers`) or machines (`ray`: auto, or the address of a cluster). Raises
    IGRError for shards with other settings, another version of the generator or another size, for seeds that do not
    match `settings.held_out`, for a folder that another run is writing to, and if the generator fails. A failed seed
    is tried again in later runs and skipped after MAX_RUNS failures; MAX_FAILURES failures in a row end this run.
    """
    _check_seeds(seeds, settings)
    if remote(str(out)) is not None:  # only folders can be locked
        return _generate(out, seeds, settings, workers, ray, per_shard, maker)
    make_folder(Path(out))
    with locked(Path(out), f"{out} is in use by another rendering run: wait for it to end, or choose another folder."):
        return _generate(out, seeds, settings, workers, ray, per_shard, maker)


def _generate(
    out: str | Path,
    seeds: range,
    settings: RenderSettings,
    workers: int,
    ray: str | None,
    per_shard: int,
    maker: Maker,
) -> Counter[str]:
    stamp = Stamp(settings, render_fingerprint(), renderer_versions())
    shards = list(pending_shards(Folder(out), seeds, stamp, per_shard))
    for shard in shards:
        shard.close()  # an interrupted run may have finished everything except this step
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
                bar.write(f"{record_name(one.seed)} is skipped: {MAX_RUNS} runs have failed to render it.")
                one = Made(one.seed, None, {FAILED: 1})
            owners[one.seed].add(one)
            rejects.update(one.rejects)
            bar.set_postfix_str(format_rejects(rejects), refresh=False)
            bar.update()
    if failed:
        raise IGRError(
            f"{len(failed)} of the garments could not be rendered (first: {record_name(failed[0])}): see the "
            "errors above, and run the command again to retry them; finished records are kept."
        )
    return rejects


def format_rejects(rejects: Counter[str]) -> str:
    """Format reasons and their counts, most frequent first."""
    return ", ".join(f"{reason} {count:,}" for reason, count in rejects.most_common())


def _engine(
    seeds: Sequence[int], settings: RenderSettings, maker: Maker, workers: int, ray: str | None
) -> Iterator[Made]:
    if ray is not None:
        from .ray_engine import make_with_ray

        return make_with_ray(seeds, settings, maker, ray)
    return make_here(seeds, settings, maker) if workers == 1 else make_in_processes(seeds, settings, maker, workers)


def _checked(made: Iterator[Made], bar: tqdm) -> Iterator[Made]:
    """Yield finished seeds; failed ones are held back until another seed succeeds, or until the end.

    Raises IGRError after MAX_FAILURES failures in a row; these are not yielded, because their seeds are not the cause.
    """
    lost: list[Made] = []
    for one in made:
        if not (one.failure or one.killed):
            yield from lost
            lost = []
            yield one
            continue
        bar.write(
            f"{record_name(one.seed)} could not be rendered:\n{one.failure or 'its worker process died every time'}"
        )
        lost.append(one)
        if len(lost) == MAX_FAILURES:
            raise IGRError(
                f"{MAX_FAILURES} garments in a row could not be rendered (last: {record_name(one.seed)}): see the "
                "errors above, and lower --workers if memory is short; finished records are kept."
            )
    yield from lost


def _check_seeds(seeds: range, settings: RenderSettings) -> None:
    if len(seeds) == 0 or seeds.start < 0 or seeds.step != 1:
        raise IGRError(
            f"There is nothing to render from seed {seeds.start}: choose a first seed of 0 or more and at least one "
            "garment."
        )
    if settings.held_out and seeds.start < HELD_OUT_START:
        raise IGRError(f"Held-out garments start at seed {HELD_OUT_START}, not {seeds.start}: use larger seeds.")
    if not settings.held_out and seeds.stop > HELD_OUT_START:
        raise IGRError(f"Seeds {HELD_OUT_START} and above are held out: use smaller seeds, or render a held-out set.")
