"""Evidence, details, several photos and candidates of the command `restore`, with a tiny real bundle."""

from pathlib import Path

import numpy as np
from PIL import Image

from igr_core.restore.planning import plan_jobs
from tests.support.cli_kit import fails, files, restore, write_pair


def test_evidence_is_a_map_of_the_image(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.jpg")
    plain, out, evidence = tmp_path / "plain.png", tmp_path / "out.png", tmp_path / "maps" / "anna.png"
    assert restore(photo, mask, plain, bundle).exit_code == 0
    result = restore(photo, mask, out, bundle, "--evidence", evidence)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == plain.read_bytes()
    assert "of the garment was not visible" in result.stderr
    with Image.open(evidence) as drawn, Image.open(out) as image:
        assert drawn.mode == "L" and drawn.size == image.size
        assert 0 < np.asarray(drawn).max() <= 255


def test_outputs_never_replace_inputs_or_each_other(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    other, other_mask = write_pair(tmp_path, "side.png")
    out, before = tmp_path / "out.png", photo.read_bytes()
    fails(restore(photo, mask, out, bundle, "--evidence", photo), 2, "would overwrite an input")
    fails(restore(photo, mask, out, bundle, "--evidence", mask), 2, "would overwrite an input")
    fails(restore(photo, mask, other, bundle, "--also", other, "--also-mask", other_mask), 2, "overwrite an input")
    fails(restore(photo, mask, out, bundle, "--evidence", out), 2, "would be written twice")
    folders = (tmp_path / "photos", tmp_path / "masks", tmp_path / "both", bundle)
    fails(restore(*folders, "--evidence", tmp_path / "both"), 2, "would be written twice")
    assert photo.read_bytes() == before and not out.exists()


def test_detail_enlarges_the_garment(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.jpg")
    out = tmp_path / "out.png"
    assert restore(photo, mask, out, bundle, "--detail", "96x128").exit_code == 0
    with Image.open(out) as image:
        assert image.size == (96, 128)
    fails(restore(photo, mask, out, bundle, "--detail", "2100x2800"), 2, "--detail: Size 2100x2800 cannot be used")
    stretched = restore(photo, mask, out, bundle, "--detail", "128x128")
    fails(stretched, 2, "would stretch an image of 48x64: choose 128x171")
    assert restore(photo, mask, out, bundle, "--detail", "128x171").exit_code == 0
    fails(restore(photo, mask, out, bundle, "--detail", "big"), 2, "--detail: Size 'big' is not valid")


def test_the_best_candidate_is_one_of_the_seeds(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.jpg")
    singles = [tmp_path / f"{seed}.png" for seed in (3, 4)]
    for seed, path in zip((3, 4), singles, strict=True):
        assert restore(photo, mask, path, bundle, "--seed", seed).exit_code == 0
    best = tmp_path / "best.png"
    result = restore(photo, mask, best, bundle, "--seed", 3, "--candidates", 2)
    assert result.exit_code == 0, result.output
    chosen = 3 if "seed 3 agrees best" in result.stderr else 4
    assert best.read_bytes() == singles[chosen - 3].read_bytes()
    with Image.open(tmp_path / "candidates" / "best.png") as grid, Image.open(best) as image:
        assert grid.size == (2 * image.width, image.height)


def test_more_photos_of_a_garment_change_it_and_a_repeated_one_does_not(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.jpg")
    other, other_mask = write_pair(tmp_path, "side.jpg")
    Image.fromarray(np.random.default_rng(5).integers(0, 255, (90, 60, 3), dtype=np.uint8)).save(other)

    def run(name: str, *more: object) -> bytes:
        result = restore(photo, mask, tmp_path / name, bundle, *more)
        assert result.exit_code == 0, result.output
        return (tmp_path / name).read_bytes()

    alone = run("alone.png")
    assert run("two.png", "--also", other, "--also-mask", other_mask) != alone
    assert run("twice.png", "--also", photo, "--also-mask", mask) == alone
    fails(restore(photo, mask, tmp_path / "x.png", bundle, "--also", other), 2, "--also-mask 0 times: pass one ")
    missing = restore(photo, mask, tmp_path / "x.png", bundle, "--also", tmp_path / "no.jpg", "--also-mask", mask)
    fails(missing, 2, "no.jpg does not exist")


def test_numbered_photos_in_a_folder_belong_to_the_first(tmp_path: Path, bundle: Path):
    for name in ("anna.jpg", "anna__2.jpg", "anna__2__2.jpg", "bert__2.jpg", "carl.png", "carl__2.png"):
        write_pair(tmp_path, name)
    (tmp_path / "masks" / "carl.png").unlink()
    table = tmp_path / "categories.csv"
    table.write_text("name,category\nanna,upper\nanna__2__2,full\nbert__2,lower\ncarl,upper\n")
    out = tmp_path / "out"
    folders = (tmp_path / "photos", tmp_path / "masks", out, bundle)
    result = restore(*folders, "--evidence", tmp_path / "maps", category=table)
    fails(
        result,
        1,
        "Failed: carl.png: The photo has no mask",
        "Failed: carl__2.png: The garment's first photo, carl,",
    )
    assert files(out) == files(tmp_path / "maps") == ["anna.png", "anna__2__2.png", "bert__2.png"]
    fails(restore(*folders, "--also", out, "--also-mask", out), 2, "put the other photo into it as NAME__2.jpg")


def test_further_photos_belong_to_the_first_whatever_case_and_unicode_form(tmp_path: Path, bundle: Path):
    for name in ("caf\u00e9.jpg", "cafe\u0301__2.jpg", "Anna.jpg", "anna__2.jpg"):
        write_pair(tmp_path, name)
    out = tmp_path / "out"
    result = restore(tmp_path / "photos", tmp_path / "masks", out, bundle, "--evidence", tmp_path / "maps")
    assert "2 restored" in result.stdout, result.output
    assert files(out) == ["Anna.png", "caf\u00e9.png"]


def test_a_further_photo_belongs_to_the_first_of_exactly_its_name(tmp_path: Path, bundle: Path):
    for name in ("Anna.jpg", "Anna__2.jpg", "anna.jpg"):
        write_pair(tmp_path, name)
    found = plan_jobs(tmp_path / "photos", tmp_path / "masks", "upper", tmp_path / "out", "RGB")
    assert {job.person.name: [photo.name for photo, _ in job.also] for job in found.jobs} == {
        "Anna.jpg": ["Anna__2.jpg"],
        "anna.jpg": [],
    }


def test_a_bad_further_photo_does_not_cost_the_garment(tmp_path: Path, bundle: Path):
    write_pair(tmp_path, "mia.png")
    photo, mask = write_pair(tmp_path, "mia__2.jpg")
    photo.write_bytes(photo.read_bytes()[:200])
    folders = (tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle)
    result = restore(*folders)
    assert result.exit_code == 0 and "1 restored" in result.stdout, result.output
    assert "Note on mia.png: Restored without mia__2.jpg:" in result.stderr
    assert files(tmp_path / "out") == ["mia.png"]
    first, first_mask = tmp_path / "photos" / "mia.png", tmp_path / "masks" / "mia.png"
    named = restore(first, first_mask, tmp_path / "x.png", bundle, "--also", photo, "--also-mask", mask)
    fails(named, 1, "mia__2.jpg")


def test_a_photo_that_is_transparent_under_its_mask_is_refused(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    with Image.open(photo) as image, Image.open(mask) as cover:
        hole = Image.merge("RGBA", (*image.convert("RGB").split(), cover.convert("L").point(lambda x: 255 - x)))
    hole.save(photo)
    out = tmp_path / "out.png"
    fails(restore(photo, mask, out, bundle), 1, "transparent where its mask is white", "use the original photo")
    assert not out.exists()


def test_a_garment_has_at_most_8_photos(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.jpg")
    more = [word for _ in range(8) for word in ("--also", photo, "--also-mask", mask)]
    fails(restore(photo, mask, tmp_path / "out.png", bundle, *more), 2, "at most 8 photos")


def test_maps_that_are_requested_later_are_written(tmp_path: Path, bundle: Path):
    write_pair(tmp_path, "anna.jpg")
    command = (tmp_path / "photos", tmp_path / "masks", tmp_path / "out", bundle)
    assert "1 restored" in restore(*command).stdout
    assert "1 restored" in restore(*command, "--evidence", tmp_path / "maps").stdout
    assert "1 already done" in restore(*command, "--evidence", tmp_path / "maps").stdout


def test_garments_with_little_evidence_are_set_aside(tmp_path: Path, bundle: Path):
    for name in ("anna.jpg", "bert.png"):
        write_pair(tmp_path, name)
    out = tmp_path / "out"
    folders = (tmp_path / "photos", tmp_path / "masks", out, bundle)
    result = restore(*folders, "--min-evidence", 1)
    assert result.exit_code == 0, result.output
    assert "2 restored, 2 of them set aside" in result.stdout and "Set aside: anna.jpg:" in result.stderr
    assert files(out / "set-aside") == ["anna.png", "bert.png"] and files(out) == ["set-aside"]
    again = restore(*folders, "--min-evidence", 1)
    assert "0 restored, 2 already done" in again.stdout and "--overwrite" in again.stderr
    assert restore(*folders, "--overwrite").exit_code == 0
    assert files(out / "set-aside") == [] and files(out) == ["anna.png", "bert.png", "set-aside"]
    assert restore(*folders, "--overwrite", "--min-evidence", 1).exit_code == 0
    assert files(out / "set-aside") == ["anna.png", "bert.png"] and files(out) == ["set-aside"]


def test_a_file_in_set_aside_is_only_replaced_with_min_evidence(tmp_path: Path, bundle: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    other = tmp_path / "set-aside" / "o.png"
    other.parent.mkdir()
    other.write_bytes(b"not from a run")
    assert restore(photo, mask, tmp_path / "o.png", bundle).exit_code == 0
    assert restore(photo, mask, tmp_path / "o.png", bundle, "--evidence", tmp_path / "e.png").exit_code == 0
    assert other.read_bytes() == b"not from a run"
    assert restore(photo, mask, tmp_path / "o.png", bundle, "--min-evidence", 1).exit_code == 0
    assert files(other.parent) == ["o.png"] and not (tmp_path / "o.png").exists()


def test_the_seeds_of_all_candidates_must_be_seeds(tmp_path: Path, stub: Path):
    photo, mask = write_pair(tmp_path, "anna.png")
    most = 2**63 - 1
    for seed, code, words in (
        (most, 2, f"--seed {most} is too large for 3 candidates, which use the seeds after it: use at most {most - 2}"),
        (most - 2, 1, "has no vae"),  # the stub cannot be loaded
    ):
        fails(restore(photo, mask, tmp_path / "o.png", stub, "--seed", seed, "--candidates", 3), code, words)
