"""Rendering into shards: resuming, any number of workers, and rejection of mismatched settings."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tqdm import tqdm

from igr_core.errors import IGRError
from tests.support.rendered import stand_in
from training.data.rendered.base.settings import RenderSettings
from training.data.rendered.generating import generate as generating
from training.data.rendered.generating.generate import generate
from training.data.rendered.records.shards import KILLED, Made, RecordShards

TINY = RenderSettings(size=stand_in.SIZE, photos=2)


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their names, except for its lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def render(out: Path | str, first: int, stop: int, **options) -> None:
    generate(out, range(first, stop), TINY, **{"workers": 1, "per_shard": 4, "maker": stand_in.make_record} | options)


def test_shards_contain_every_record_and_rejects_are_counted(tmp_path: Path) -> None:
    rejects = generate(tmp_path, range(12), TINY, 1, per_shard=4, maker=stand_in.make_record)
    assert rejects == {"garment hidden": 2, "poke-through": 5}  # seeds 0 and 5, and 10 which is given up
    assert sorted(tree(tmp_path)) == [
        f"records-{first:09d}.tar{ending}" for first in (0, 4, 8) for ending in ("", ".index.json")
    ]
    found = RecordShards(str(tmp_path))
    assert found.seeds == (*range(10), 11) and found.stamp.settings == TINY
    assert found.read(7).seed == 7 and found.metadata(5)["rejects"] == {"garment hidden": 1}


def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    render(tmp_path / "one", 3, 12)
    render(tmp_path / "two", 3, 12, workers=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_folder_that_another_run_renders_into_is_refused(tmp_path: Path) -> None:
    def other(seed: int, settings: RenderSettings):
        with pytest.raises(IGRError, match="in use by another rendering run"):
            render(tmp_path, 0, 4)
        return stand_in.make_record(seed, settings)

    render(tmp_path, 0, 4, maker=other)
    render(tmp_path / "whole", 0, 4)
    assert RecordShards(str(tmp_path)).seeds == RecordShards(str(tmp_path / "whole")).seeds


def test_a_killed_run_resumes_within_the_shard(tmp_path: Path) -> None:
    render(tmp_path / "whole", 0, 8)
    made: list[int] = []

    def stopped(seed: int, settings: RenderSettings):
        if len(made) == 6:
            raise KeyboardInterrupt
        made.append(seed)
        return stand_in.make_record(seed, settings)

    with pytest.raises(KeyboardInterrupt):
        render(tmp_path / "killed", 0, 8, maker=stopped)
    assert (tmp_path / "killed" / "records-000000000.tar").exists()
    assert not (tmp_path / "killed" / "records-000000004.tar").exists()
    made[:] = []
    render(tmp_path / "killed", 0, 8, maker=stopped)
    assert made == [6, 7]
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_a_run_killed_while_it_packs_a_shard_only_packs_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(tmp_path / "whole", 0, 4)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(
            "training.data.rendered.records.spool.write_shard", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        render(tmp_path / "killed", 0, 4)
    assert len(tree(tmp_path / "killed")) == 5  # four parts and their stamp
    render(tmp_path / "killed", 0, 4, maker=lambda *_: pytest.fail("nothing is left to render"))
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_a_short_last_shard_grows_and_keeps_its_records(tmp_path: Path) -> None:
    render(tmp_path / "whole", 0, 12)
    render(tmp_path / "grown", 0, 11)
    made: list[int] = []

    def noted(seed: int, settings: RenderSettings):
        made.append(seed)
        return stand_in.make_record(seed, settings)

    render(tmp_path / "grown", 0, 12, maker=noted)
    assert made == [11]
    assert tree(tmp_path / "grown") == tree(tmp_path / "whole")


def test_no_record_is_lost_if_a_worker_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_NOTES", str(tmp_path))
    render(tmp_path / "out", 0, 8, workers=2, maker=stand_in.dying_record)
    assert (tmp_path / "died").exists()
    assert RecordShards(str(tmp_path / "out")).seeds == tuple(range(8))


def test_a_killed_run_keeps_finished_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generating, "render_fingerprint", lambda: "tested")
    script = (
        "import os; from pathlib import Path; from tests.support.rendered import stand_in\n"
        "from tests.training.data.rendered.generating.test_generating import TINY\n"
        "from training.data.rendered.generating import generate as generating\n"
        "generating.render_fingerprint = lambda: 'tested'\n"
        "def maker(seed, settings):\n"
        "    if seed == 6: os.kill(os.getpid(), 9)\n"
        "    return stand_in.make_record(seed, settings)\n"
        f"generating.generate({str(tmp_path / 'killed')!r}, range(8), TINY, 1, per_shard=4, maker=maker)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[5], capture_output=True)
    assert done.returncode == -9, done.stderr
    assert (tmp_path / "killed" / "records-000000004.tar.parts" / "garment-000000005.tar").exists()
    render(tmp_path / "killed", 0, 8)
    render(tmp_path / "whole", 0, 8)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_a_seed_that_ends_in_an_error_is_not_skipped_and_a_later_run_tries_it_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(IGRError, match="1 of the garments could not be rendered \\(first: garment-000000002"):
        render(tmp_path / "out", 0, 6, maker=stand_in.failing_record)
    assert "garment-000000002 could not be rendered" in capfd.readouterr().out
    assert not list((tmp_path / "out").rglob("garment-000000002.tar"))
    made = []
    render(tmp_path / "out", 0, 6, maker=lambda seed, s: made.append(seed) or stand_in.make_record(seed, s))
    assert made == [2]
    render(tmp_path / "whole", 0, 6)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_seed_that_fails_in_three_runs_is_skipped_named_and_counted_and_its_shard_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        with pytest.raises(IGRError, match="first: garment-000000002"):
            render(tmp_path / "out", 0, 6, maker=stand_in.failing_record)
    assert not (tmp_path / "out" / "records-000000000.tar").exists()
    rejects = generate(tmp_path / "out", range(6), TINY, 1, per_shard=4, maker=stand_in.failing_record)
    assert rejects["ended in an error"] == 1
    assert "garment-000000002 is skipped: 3 runs have failed to render it." in capfd.readouterr().out
    found = RecordShards(str(tmp_path / "out"))
    assert found.seeds == (0, 1, 3, 4, 5) and found.given_up == {2: {"ended in an error": 1}}
    assert all(name.startswith("records-") and "parts" not in name for name in tree(tmp_path / "out"))


def test_if_every_seed_fails_the_machine_is_the_cause_and_no_seed_is_skipped(tmp_path: Path) -> None:
    def failing(seed: int, settings: RenderSettings):
        raise MemoryError("no memory")

    for _ in range(4):
        with pytest.raises(IGRError, match="3 garments in a row"):
            render(tmp_path, 0, 4, maker=failing)
    render(tmp_path, 0, 4)
    assert RecordShards(str(tmp_path)).seeds == tuple(range(4))


def test_three_errors_in_a_row_end_the_run_and_keep_finished_records(tmp_path: Path) -> None:
    with pytest.raises(IGRError, match="3 garments in a row could not be rendered \\(last: garment-000000008"):
        render(tmp_path, 3, 12, maker=stand_in.failing_record)
    made = []
    render(tmp_path, 3, 8, maker=lambda seed, settings: made.append(seed) or stand_in.make_record(seed, settings))
    assert made == [6, 7]


def test_a_seed_that_kills_its_worker_each_time_is_skipped_and_the_rest_continues(tmp_path: Path) -> None:
    rejects = generate(tmp_path, range(6), TINY, 2, per_shard=6, maker=stand_in.killing_record)
    assert rejects["killed its worker"] == 1
    found = RecordShards(str(tmp_path))
    assert found.seeds == (0, 1, 2, 4, 5)


def test_workers_that_all_die_end_the_run_and_no_seed_is_skipped(tmp_path: Path) -> None:
    killed = (Made(seed, None, {KILLED: 1}) for seed in range(9))
    with tqdm(disable=True) as bar, pytest.raises(IGRError, match="3 garments in a row"):
        assert list(generating._checked(killed, bar)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda: {"settings": replace(TINY, samples=4)},
            r"-000000000\.tar was rendered with different settings",
        ),
        (lambda: {"per_shard": 3}, r"records-000000004\.tar does not begin or end where a shard of 3 records would"),
    ],
)
def test_shards_of_another_run_are_refused(tmp_path: Path, change, said: str) -> None:
    render(tmp_path, 0, 8)
    options = {"settings": TINY, "workers": 1, "per_shard": 4, "maker": stand_in.make_record} | change()
    with pytest.raises(IGRError, match=said):
        generate(tmp_path, range(16), **options)


@pytest.mark.parametrize(("first", "stop", "per_shard"), [(2, 6, 4), (3, 9, 4), (0, 4, 2), (2, 3, 1)])
def test_a_start_or_size_that_overlaps_a_shard_is_refused_before_anything_is_rendered(
    tmp_path: Path, first: int, stop: int, per_shard: int
) -> None:
    render(tmp_path, 0, 4)
    before = tree(tmp_path)
    with pytest.raises(IGRError, match=r"records-000000000\.tar does not begin or end where a shard of"):
        render(tmp_path, first, stop, per_shard=per_shard, maker=lambda *_: pytest.fail("nothing may be rendered"))
    assert tree(tmp_path) == before


def test_a_start_that_overlaps_the_parts_of_a_shard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IGRError):
        render(tmp_path, 3, 9, per_shard=6, maker=stand_in.failing_record)
    with pytest.raises(IGRError, match=r"records-000000003\.tar does not begin or end where a shard of"):
        render(tmp_path, 5, 9)
    render(tmp_path, 9, 10)


def test_shards_and_parts_of_other_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(tmp_path / "shard", 0, 4)
    with pytest.raises(IGRError):
        render(tmp_path / "parts", 4, 8, maker=lambda seed, s: stand_in.failing_record(seed + 1, s))
    monkeypatch.setattr(generating, "render_fingerprint", lambda: "edited")
    for folder, first in (("shard", 0), ("parts", 4)):
        with pytest.raises(IGRError, match=r"was rendered by another version of the generator \(.*, now edited\)"):
            render(tmp_path / folder, first, first + 4)


@pytest.mark.parametrize(
    ("seeds", "held_out", "said"),
    [
        (range(0), False, "nothing to render"),
        (range(9_999_999, 10_000_001), False, "are held out"),
        (range(5), True, "start at seed 10000000"),
    ],
)
def test_held_out_seeds_go_with_held_out_settings(tmp_path: Path, seeds: range, held_out: bool, said: str) -> None:
    with pytest.raises(IGRError, match=said):
        generate(tmp_path, seeds, replace(TINY, held_out=held_out), 1, maker=stand_in.make_record)


def test_shards_may_be_at_any_url(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="only the extra `scale` reads and writes URLs")
    url = "memory://rendered/test_generating"
    try:
        render(url, 0, 6)
        render(url, 0, 8)
        render(tmp_path, 0, 8)
        files = {
            name.rsplit("/", 1)[-1]: fsspec.filesystem("memory").cat_file(name)
            for name in fsspec.filesystem("memory").find("/rendered/test_generating")
        }
        assert files == tree(tmp_path)
        assert RecordShards(url).read(4).photos[1].attributes["pose"] == "pose-1"
    finally:
        fsspec.filesystem("memory").rm("/rendered", recursive=True)


def test_records_of_other_packages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(tmp_path, 0, 4)
    assert f"numpy {np.__version__}" in RecordShards(str(tmp_path)).stamp.packages
    monkeypatch.setattr(generating, "renderer_versions", lambda: "mitsuba 9")
    with pytest.raises(IGRError, match=r"was rendered with .*numpy .*, and this machine has mitsuba 9: install those"):
        render(tmp_path, 0, 8)


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "training.data.rendered.capture.making", raising=False)
    for name in [name for name in sys.modules if name.startswith("training.data.rendered.garments")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(
        IGRError, match=r"^Rendering needs numba: install the `render` extra \(pip install '\.\[render\]'\)\.$"
    ):
        generate(tmp_path, range(2), TINY, 1)
