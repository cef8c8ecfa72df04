"""Rendering on a Ray cluster: a lost machine's seeds are rendered again, and no seed occurs twice."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating.generate import generate
from training.data.rendered.generating.pools import make
from training.data.rendered.generating.ray_engine import make_with_ray
from training.data.rendered.records.record import to_members
from training.data.rendered.records.shards import Made, RecordShards

TINY = RenderSettings(size=stand_in.SIZE, photos=2)
ROOT = Path(__file__).parents[5]


def test_a_node_lost_in_the_middle_neither_loses_nor_repeats_a_record(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="only the extra `ray` renders on many machines")
    (tmp_path / "notes").mkdir()
    command = [sys.executable, "-m", "tests.support.rendered.ray_run", tmp_path / "out", tmp_path / "notes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    notes = [path.name.split("-") for path in (tmp_path / "notes").iterdir()]
    hung = {worker for seed, worker, *_ in notes if seed == "hangs"}
    begun = [(int(seed), worker) for seed, worker, *_ in notes if seed != "hangs"]
    assert hung and {worker for _, worker in begun} > hung
    assert len(begun) > len({seed for seed, _ in begun}) == 24  # the lost node's seeds were begun again
    generate(tmp_path / "here", range(24), TINY, 1, per_shard=6, maker=stand_in.make_record)
    out, here = (RecordShards(str(tmp_path / folder)) for folder in ("out", "here"))
    assert out.seeds == here.seeds == tuple(seed for seed in range(24) if seed % 11 != 10)
    assert all(to_members(out.read(seed)) == to_members(here.read(seed)) for seed in out.seeds)
    assert len(list((tmp_path / "out").glob("records-*"))) == 8  # four shards with an index each, and no parts


def test_a_cluster_that_does_not_exist_is_reported_at_once(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="only the extra `ray` renders on many machines")
    with pytest.raises(IGRError, match="No Ray cluster was found at 127.0.0.1:1 .*: start one with `ray start --head`"):
        generate(tmp_path, range(2), TINY, ray="127.0.0.1:1", maker=stand_in.make_record)


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(IGRError, match=r"needs Ray: run `pip install 'ray\[data\]'`"):
        generate(tmp_path, range(2), TINY, ray="auto", maker=stand_in.make_record)


def test_a_seed_that_kills_its_worker_is_skipped_and_one_of_a_lost_machine_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Crashed(Exception):
        pass

    class Lost(Exception):
        pass

    asked: list[int] = []
    options: list[dict] = []

    def get(seed: int) -> Made:
        asked.append(seed)
        if seed == 1:
            raise Crashed
        if seed == 2 and asked.count(2) == 1:
            raise Lost
        return make(seed, TINY, stand_in.make_record)

    task = SimpleNamespace(remote=lambda seed, *_: seed)
    failures = {"RayTaskError": KeyError, "NodeDiedError": Lost, "WorkerCrashedError": Crashed}
    cluster = SimpleNamespace(
        is_initialized=lambda: True,
        remote=lambda _: SimpleNamespace(options=lambda **given: options.append(given) or task),
        cluster_resources=lambda: {"CPU": 1.0},
        wait=lambda running, **_: (running[:1], running[1:]),
        get=get,
        exceptions=SimpleNamespace(**failures, OutOfMemoryError=MemoryError),
    )
    monkeypatch.setitem(sys.modules, "ray", cluster)
    made = {one.seed: one for one in make_with_ray(range(4), TINY, stand_in.make_record, "auto")}
    assert sorted(made) == [0, 1, 2, 3] and options == [{"num_cpus": 1, "max_retries": 2}]
    assert made[1].killed and made[1].members is None
    assert not any(made[seed].killed for seed in (0, 2, 3)) and asked.count(2) == 2
