"""The editor's route: it returns masks for marks, and rejects bad paths, bad bodies and requests during runs."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from tests.support.host.graphs import POINTS, TINY_SAM, by_category, restore, segment
from tests.support.host.masks import differing, mask_of
from tests.support.host.server import ROOT, Graph, Server
from tests.support.image_files import unusable_files
from tests.support.models.tiny_sam2 import save_sam2

ROUTE = "/api/igr/segment"
EXAMPLE = {"type": "example", "subfolder": "", "filename": "upper"}
MARKS = json.loads(POINTS)
PIXELS = 51_000_000


class Got(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def error(self) -> str:
        assert self.headers["Content-Type"].startswith("application/json")
        return json.loads(self.body)["error"]


def ask(server: Server, body: Any, content_type: str = "application/json") -> Got:
    """POST bytes unchanged, or anything else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + ROUTE, data, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return Got(answer.status, answer.read(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Got(error.code, error.read(), dict(error.headers))


def test_a_body_that_is_not_compressed_as_it_claims_is_answered_in_one_sentence(server: Server) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    request = urllib.request.Request(server.url + ROUTE, b"not gzip", headers)
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(request, timeout=60)
    with failed.value as answer:
        assert answer.code == 400 and json.loads(answer.read())["error"].endswith(".")


def question(**changes: Any) -> dict[str, Any]:
    return {"model": TINY_SAM, "image": EXAMPLE, "points": MARKS, "candidates": "largest", **changes}


def of_file(filename: str, subfolder: str = "", kind: str = "input") -> dict[str, Any]:
    return question(image={"filename": filename, "subfolder": subfolder, "type": kind})


def stop(server: Server, running: str) -> None:
    server.post("/interrupt", {})
    while server.get("/queue")["queue_running"]:
        time.sleep(0.05)
    assert server.get(f"/history/{running}")


def alpha(got: Got) -> torch.Tensor:
    """The mask in a response, (1, 1, H, W) of 0 and 1."""
    assert got.status == 200 and got.headers["Content-Type"] == "image/png", got.body[:300]
    with Image.open(BytesIO(got.body)) as picture:
        assert picture.mode == "LA"
        return torch.from_numpy(np.array(picture))[None, None, ..., 1] / 255


@pytest.fixture(scope="module", autouse=True)
def files(server: Server) -> Iterator[None]:
    """Photos in the host's folders, and other files that must not be read."""
    with Image.open(ROOT / "nodes" / "examples" / "upper.webp") as photo:
        (server.base / "input" / "sub").mkdir(exist_ok=True)
        for place in ("input/photo.png", "input/sub/photo.png", "output/photo.png", "temp/photo.png", "secret.png"):
            (server.base / place).parent.mkdir(exist_ok=True)
            photo.save(server.base / place)
        photo.convert("L").resize((90, 120)).save(server.base / "input" / "small.png")
        photo.resize((1440, 1920)).save(server.base / "input" / "large.jpg")
    (server.base / "input" / "link.png").symlink_to(server.base / "secret.png")
    (server.base / "input" / "way").symlink_to(server.base, target_is_directory=True)
    (server.base / "input" / "ring.png").symlink_to(server.base / "input" / "ring.png")
    (server.base / "input" / "text.png").write_text("no picture")
    (server.base / "input" / "settings.json").write_text("{}")
    Image.new("1", (PIXELS // 1000, 1000)).save(server.base / "input" / "huge.png")
    yield


def test_the_answer_is_the_mask_that_the_node_gives(server: Server) -> None:
    got = ask(server, question())
    assert differing(alpha(got).round(), mask_of(server, segment())) < 1e-3
    assert got.headers["X-IGR-Size"] == "576x768" and "used" in got.headers["X-IGR-Scores"]


@pytest.mark.parametrize(("place", "kind"), [("", "input"), ("sub", "input"), ("", "output"), ("", "temp")])
def test_photos_of_the_hosts_folders_are_read(server: Server, place: str, kind: str) -> None:
    assert differing(alpha(ask(server, of_file("photo.png", place, kind))), alpha(ask(server, question()))) == 0


def test_large_photos_get_a_small_mask(server: Server) -> None:
    got = ask(server, of_file("large.jpg") | {"points": {"positive": [[700, 700]]}})
    assert alpha(got).shape[-2:] == (1024, 768) and got.headers["X-IGR-Size"] == "1440x1920"


def test_a_photo_that_changes_on_disk_is_read_again(server: Server) -> None:
    path = server.base / "input" / "changing.png"
    answers = []
    for garment in ("upper", "lower"):
        with Image.open(ROOT / "nodes" / "examples" / f"{garment}.webp") as photo:
            photo.save(path)
        answers.append(alpha(ask(server, of_file("changing.png"))))
    assert differing(*answers) > 0
    assert differing(answers[1], alpha(ask(server, question(image=EXAMPLE | {"filename": "lower"})))) == 0


@pytest.mark.parametrize("orientation", [2, 4, 5, 6, 7])
def test_a_photo_that_load_image_orients_differently_from_the_browser_is_rejected(
    server: Server, orientation: int
) -> None:
    """The editor reports a photo on which its marks would be in a different position in the run."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(ROOT / "nodes" / "examples" / "upper.webp") as photo:
        photo.save(server.base / "input" / f"exif{orientation}.jpg", exif=exif, quality=95)
    got = ask(server, of_file(f"exif{orientation}.jpg") | {"points": {"positive": [[100, 130]]}})
    upright = {"1": {"class_type": "LoadImage", "inputs": {"image": f"exif{orientation}.jpg"}}}
    upright["2"] = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "exif"}}
    (saved,) = server.run(upright)["outputs"]["2"]["images"]
    with (
        Image.open(server.base / "output" / saved["filename"]) as shown,
        Image.open(server.base / "input" / f"exif{orientation}.jpg") as stored,
    ):
        seen = ImageOps.exif_transpose(stored).convert("RGB")
        same = shown.size == seen.size and np.abs(np.asarray(shown).astype(int) - np.asarray(seen)).mean() < 3
    assert got.status == (200 if same else 400)
    assert same or "stored mirrored" in json.loads(got.body)["error"] and str(server.base) not in got.body.decode()


@pytest.mark.parametrize("kind", unusable_files())
def test_files_that_cannot_be_read_are_named_at_once(server: Server, kind: str) -> None:
    (server.base / "input" / "bad.png").write_bytes(unusable_files()[kind][0])
    got = ask(server, of_file("bad.png"))
    if got.status != 200 or kind != "profile bomb":
        assert got.status == 400 and json.loads(got.body)["error"].startswith("bad.png ")


ELSEWHERE = {
    "above": ("../secret.png", "", "input"),
    "above by subfolder": ("secret.png", "..", "input"),
    "far above": ("photo.png", "sub/../../..", "input"),
    "encoded": ("..%2fsecret.png", "", "input"),
    "backslashes": ("..\\secret.png", "", "input"),
    "a link out": ("link.png", "", "input"),
    "a folder that leads out": ("secret.png", "way", "input"),
    "a symlink loop": ("ring.png", "", "input"),
    "a folder that is a symlink loop": ("photo.png", "ring.png", "input"),
    "no such file": ("nothing.png", "", "input"),
    "a folder": ("photo.png", "photo.png", "input"),
    "a byte of 0": ("photo.png\0.png", "", "input"),
    "an endless name": ("a" * 500 + ".png", "", "input"),
    "another type": ("photo.png", "", "models"),
    "no type": ("photo.png", "", ""),
    "no example": ("../upper", "", "example"),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_files_outside_the_folders_are_not_found(server: Server, case: str) -> None:
    filename, subfolder, kind = ELSEWHERE[case]
    got = ask(server, of_file(filename, subfolder, kind))
    wanted = (404, 400) if case in ("no example",) else (404,)
    assert got.status in wanted and len(got.error) < 200 and str(server.base) not in got.error


def test_absolute_paths_are_not_found(server: Server) -> None:
    for filename, subfolder in ((str(server.base / "secret.png"), ""), ("secret.png", str(server.base))):
        got = ask(server, of_file(filename, subfolder))
        assert got.status == 404 and "not in ComfyUI's input, output or temp folder" in got.error


BAD_PHOTOS = {
    "text.png": "text.png is not a supported image",
    "settings.json": "image type is not supported: save the photo as .png (.png, .jpg,",
    "huge.png": "huge.png has more than 50 megapixels",
}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_files_that_are_not_photos_are_named_without_their_folder(server: Server, name: str) -> None:
    got = ask(server, of_file(name))
    assert got.status == 400 and BAD_PHOTOS[name] in got.error and str(server.base) not in got.error


BAD_BODIES = {
    "nothing": (b"", "not valid JSON"),
    "no JSON": (b"{", "not valid JSON"),
    "no text": (b"\xff\xfe\x00", "not valid JSON"),
    "deep": (b"[" * 15_000, "not valid JSON"),
    "a list": ([], "must be a JSON object"),
    "no image": (question(image=None), "image must have"),
    "a number for a name": (question(image={**EXAMPLE, "filename": 3}), "image must have"),
    "an endless folder": (of_file("photo.png", "a/" * 300), "image must have"),
    "no points": (question(points=None), "points are not valid"),
    "points in words": (question(points="1, 2"), "points are not valid"),
    "51 points": (question(points={"positive": [[1, 1]] * 51}), "51 points, more than 50"),
    "not a number": (json.dumps(question(points={"positive": [[float("nan"), 1]]})).encode(), "positive"),
    "a huge number": (question(points={"positive": [[10**300, 1]]}), "positive"),
    "nothing marked": (question(points={}), "Nothing is marked"),
    "outside": (question(points={"positive": [[577, 1]]}), "outside the 576×768 photo"),
    "another photo": (of_file("small.png"), "belong to a 576×768 photo, but this one is 90×120"),
    "candidates": (question(candidates="all"), "candidates must be one of"),
    "candidates in a list": (question(candidates=["best"]), "candidates must be one of"),
    "no model": (question(model=None), "model must be a name"),
    "a missing model": (question(model="gone.safetensors"), "models/sam2 has no gone.safetensors"),
    "a model elsewhere": (question(model="../igr/tiny.safetensors"), "models/sam2 has no ../igr"),
    "a model by its path": (question(model="/etc"), "models/sam2 has no /etc"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_invalid_bodies_are_answered_with_a_sentence(server: Server, case: str) -> None:
    body, sentence = BAD_BODIES[case]
    got = ask(server, body)
    assert got.status == 400 and sentence in got.error, (got.status, got.body[:300])


def test_long_bodies_are_not_read(server: Server) -> None:
    got = ask(server, b" " * 20_000)
    assert got.status == 413 and "larger than 16384 bytes" in got.error
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        pieces = (b" " * 1000 for _ in range(100))  # of unknown length
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        connection.request("POST", ROUTE, pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_forms_of_other_pages_are_refused(server: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert ask(server, question(), kind).status == 415


def test_fifty_points_are_answered(server: Server) -> None:
    points = {"positive": [[100.5 + i, 300.5] for i in range(25)], "negative": [[i, 5] for i in range(25)]}
    assert alpha(ask(server, question(points=points))).shape[-2:] == (768, 576)


def test_a_model_that_finds_nothing_is_reported(server: Server) -> None:
    save_sam2(server.base / "models" / "sam2" / "sees-nothing", sees_nothing=True)
    got = ask(server, question(model="sees-nothing"))
    assert got.status == 400 and "Nothing was found there: click in the middle" in got.error


def test_clicks_wait_for_a_running_graph_and_the_server_answers_meanwhile(server: Server) -> None:
    running = server.start(restore(seed=77, steps=400))
    while not server.get("/queue")["queue_running"]:
        time.sleep(0.02)
    got = ask(server, question())
    assert got.status == 429 and "running a workflow" in got.error
    stop(server, running)
    assert ask(server, question()).status == 200


def test_a_click_that_a_graph_overtakes_is_put_off(server: Server) -> None:
    """The request was sent earlier, but is processed only once the graph runs."""
    assert ask(server, question()).status == 200
    server.post("/probe/click", {"seconds": 0.5})
    found: list[Got] = []
    click = threading.Thread(target=lambda: found.append(ask(server, question())))
    click.start()
    time.sleep(1)
    assert click.is_alive()
    running = server.start(restore(seed=78, steps=400))
    click.join()
    assert found[0].status == 429 and "running a workflow" in found[0].error
    stop(server, running)
    assert ask(server, question()).status == 200


@pytest.mark.parametrize("graph", [restore(seed=79), by_category(category="lower"), segment(candidates="merged")])
def test_a_graph_waits_for_a_click_under_way(server: Server, graph: Graph) -> None:
    server.post("/probe/click", {"seconds": 3})
    before = time.monotonic()
    server.run(graph)
    assert time.monotonic() - before > 3


def test_only_the_last_segmenter_stays_in_memory(server: Server) -> None:
    for name in ("first", "second"):
        save_sam2(server.base / "models" / "sam2" / f"clicked-{name}")
        assert ask(server, question(model=f"clicked-{name}")).status == 200
        others = [key for key in server.get("/probe/kept") if "clicked-" in key]
        assert len(others) == 2 and all(f"clicked-{name}" in key for key in others)  # itself and an embedding


def test_many_clicks_at_once_are_answered_or_put_off(server: Server) -> None:
    found: list[Got] = []
    threads = [threading.Thread(target=lambda: found.append(ask(server, question()))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {got.status for got in found} <= {200, 429} and any(got.status == 200 for got in found)
    assert len({got.body for got in found if got.status == 200}) == 1


def test_the_example_persons_are_shown_and_nothing_else(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/api/igr/example/upper%20of%20an%20outfit", timeout=60) as answer:
        assert answer.read() == (ROOT / "nodes" / "examples" / "outfit.webp").read_bytes()
    for name in ("nothing", "..%2Fhost.py", "upper.webp"):
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            urllib.request.urlopen(f"{server.url}/api/igr/example/{name}", timeout=60)
        caught.value.close()


def test_none_of_these_requests_is_logged_as_an_error(server: Server) -> None:
    log = server.log.read_text(errors="replace")
    assert "Could not compute the mask for a click" not in log and "Error handling request" not in log


def test_the_secret_is_a_photo_that_would_have_been_read(server: Server, tmp_path: Path) -> None:
    copy = server.base / "input" / "told.png"
    copy.write_bytes((server.base / "secret.png").read_bytes())
    assert ask(server, of_file("told.png")).status == 200
