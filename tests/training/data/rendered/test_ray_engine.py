"""Rendering on a Ray cluster: a lost machine's seeds are rendered again, and none is there twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from igr_core.errors import IGRError
from tests.support import stand_in
from training.data.rendered.generating import generate
from training.data.rendered.records import to_members
from training.data.rendered.settings import RenderSettings
from training.data.rendered.shards import RecordShards

TINY = RenderSettings(size=stand_in.SIZE, photos=2)
ROOT = Path(__file__).parents[4]


def test_a_node_lost_in_the_middle_costs_no_record_and_doubles_none(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="only the extra `ray` renders on many machines")
    (tmp_path / "notes").mkdir()
    command = [sys.executable, "-m", "tests.support.ray_run", tmp_path / "out", tmp_path / "notes"]
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
    assert len(list((tmp_path / "out").iterdir())) == 8  # four shards with an index each, and no parts


def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="only the extra `ray` renders on many machines")
    with pytest.raises(IGRError, match="There is no Ray cluster at 127.0.0.1:1 .*: start one with `ray start --head`"):
        generate(tmp_path, range(2), TINY, ray="127.0.0.1:1", maker=stand_in.make_record)


def test_without_ray_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(IGRError, match=r"needs Ray: pip install 'ray\[data\]'"):
        generate(tmp_path, range(2), TINY, ray="auto", maker=stand_in.make_record)
