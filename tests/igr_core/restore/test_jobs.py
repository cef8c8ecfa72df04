"""Failures of single photos in a run, and their messages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from igr_core.errors import IGRError
from igr_core.model.config import ViewConfig
from igr_core.outputs import CannotWrite
from igr_core.restore.jobs import BundleProblem, Report, Settings, run_jobs
from igr_core.restore.planning import Job

MEMORY = "Out of memory: choose a smaller --size."
SETTINGS = Settings((48, 64), ViewConfig())


class Failing:
    """A restorer that fails on the first photo and returns `after` for the others."""

    def __init__(self, error: Exception, after: Tensor) -> None:
        self.error: Exception | None = error
        self.after = after

    def restore(self, view: object, category: str, sampling: object, **_: object) -> Tensor:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self.after


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)).save(photo)
    Image.new("L", (48, 64), 255).save(mask)
    second = tmp_path / "second.png"
    second.write_bytes(photo.read_bytes())
    return [Job(photo, mask, "upper", tmp_path / "a.png"), Job(second, mask, "upper", tmp_path / "b.png")]


def run(jobs: list[Job], error: Exception) -> Report:
    report, restorer = Report(), Failing(error, torch.rand(1, 3, 64, 48))
    run_jobs(jobs, report, SETTINGS, lambda: restorer)
    return report


def cpu_out_of_memory() -> RuntimeError:
    """The error that torch raises on this machine for four petabytes."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    return caught.value


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), MEMORY),
        (torch.cuda.OutOfMemoryError("CUDA out of memory."), MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), MEMORY),
        (cpu_out_of_memory(), MEMORY),
        (RuntimeError("shapes do not match"), "Unexpected error (shapes do not match): please report this."),
        (IGRError("The photo is odd: take another."), "The photo is odd: take another."),
    ],
)
def test_a_photo_that_fails_is_reported_and_the_next_resumes(jobs: list[Job], error: Exception, sentence: str) -> None:
    report = run(jobs, error)
    assert report.failed == {"photo.png": sentence}
    assert report.done == [jobs[1].out] and jobs[1].out.exists() and not jobs[0].out.exists()


def test_a_model_that_cannot_be_used_stops_the_run(jobs: list[Job]) -> None:
    with pytest.raises(BundleProblem, match="has no vae"):
        run(jobs, BundleProblem("It has no vae."))


def test_a_garment_with_nan_is_not_written(jobs: list[Job]) -> None:
    report, restorer = Report(), Failing(MemoryError(), torch.full((1, 3, 64, 48), torch.nan))
    run_jobs(jobs, report, SETTINGS, lambda: restorer)
    assert "contains NaN or infinite values" in report.failed["second.png"]
    assert report.done == [] and not jobs[1].out.exists()


def test_a_run_stops_at_the_first_image_that_cannot_be_written(jobs: list[Job], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    below = [replace(job, out=tmp_path / "file" / job.out.name) for job in jobs]
    report, restorer = Report(), Failing(CannotWrite("unused"), torch.rand(1, 3, 64, 48))
    restorer.error = None
    with pytest.raises(CannotWrite, match="Could not write .*a.png"):
        run_jobs(below, report, SETTINGS, lambda: restorer)
    assert report.done == [] and report.failed == {}


def test_an_uncertain_cut_out_is_noted(jobs: list[Job]) -> None:
    faint = torch.ones(1, 3, 64, 48)
    faint[..., 10:54, 8:40] = 0.992  # nearer to white than a shadow, and open to the background
    faint[..., 10:54, 8:14] = faint[..., 48:54, 8:40] = 0.5
    report = Report()
    restorer = Failing(CannotWrite("unused"), faint)
    restorer.error = None
    run_jobs(jobs[:1], report, replace(SETTINGS, transparent=True), lambda: restorer)
    assert report.done == [jobs[0].out]
    with Image.open(jobs[0].out) as image:
        assert image.mode == "RGBA"
    assert any("covers much less of its bounding box than the mask" in note for note in report.notes["photo.png"])
