"""Finding members of tars: braces, headers, index files, and URLs."""

import io
import json
import tarfile
from pathlib import Path

import fsspec
import pytest

from igr_core.errors import IGRError
from training.data.files.tar_index import INDEX_ENDING, expand_braces, index_tar, shard_urls, write_index


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


MEMBERS = {
    "./a/0.json": b'{"category": "upper", "keypoints": {}}',
    "./a/0.person.JPG": b"p" * 700,
    "a/1.person.jpg": b"q" * 3,
    "x" * 120 + "/2.person.jpg": b"r",
    "readme": b"no sample",
}


def test_braces() -> None:
    assert expand_braces("s-{008..011}.tar") == ["s-008.tar", "s-009.tar", "s-010.tar", "s-011.tar"]
    assert expand_braces("{a,b}/{0..1}.tar") == ["a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"]
    assert expand_braces("one.tar") == ["one.tar"]
    with pytest.raises(IGRError, match="is not a valid pattern"):
        expand_braces("s-{8-11}.tar")
    with pytest.raises(IGRError, match="counts down"):
        expand_braces("s-{11..8}.tar")


def test_members_are_found_by_their_headers(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    index = index_tar(str(path))
    assert set(index.samples) == {"a/0", "a/1", "x" * 120 + "/2"}
    assert index.read("a/0", "person.jpg") == b"p" * 700 and index.read("a/1", "person.jpg") == b"qqq"
    assert index.labels == {"a/0": {"category": "upper"}}


def test_the_index_beside_a_tar_is_what_its_headers_say(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    scanned = index_tar(str(path))
    write_index(path)
    beside = path.with_name(path.name + INDEX_ENDING)
    assert index_tar(str(path)) == scanned
    content = json.loads(beside.read_text())
    content["labels"]["a/0"]["category"] = "lower"
    beside.write_text(json.dumps(content))
    assert index_tar(str(path)).labels["a/0"]["category"] == "lower"  # this file is the one that is read
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(IGRError, match=r"has 1024 bytes, but its index was made for"):
        index_tar(str(path))


@pytest.mark.parametrize(
    "data", [packed(MEMBERS)[:1500], packed(MEMBERS)[:1024], b"no tar" * 300, b"", packed({"readme": b"x"})]
)
def test_a_tar_that_is_truncated_or_not_a_tar_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(data)
    with pytest.raises(IGRError, match=r"s\.tar (is truncated|is not a readable tar|contains no samples)"):
        index_tar(str(path))


def test_a_tar_truncated_after_it_was_opened_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    index = index_tar(str(path))
    path.write_bytes(path.read_bytes()[:1800])
    with pytest.raises(IGRError, match=r"s\.tar:a/0\.person\.jpg ends after 264 of 700 bytes"):
        index.read("a/0", "person.jpg")


def test_duplicate_names_and_invalid_json_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed({"a.person.jpg": b"1", "./a.person.jpg": b"2"}))
    with pytest.raises(IGRError, match=r"contains a\.person\.jpg twice"):
        index_tar(str(path))
    path.write_bytes(packed({"a.json": b"[1]"}))
    with pytest.raises(IGRError, match=r"s\.tar:a\.json must be a mapping"):
        index_tar(str(path))


def test_urls_are_read_through_fsspec() -> None:
    with fsspec.open("memory://bucket/s-0.tar", "wb") as file:
        file.write(packed(MEMBERS))
    index = index_tar("memory://bucket/s-0.tar")
    assert index.read("a/0", "person.jpg") == b"p" * 700
    with pytest.raises(IGRError, match=r"memory://bucket/s-1\.tar cannot be opened"):
        index_tar("memory://bucket/s-1.tar")
    with pytest.raises(
        IGRError, match=r"^nosuch://x/s\.tar cannot be opened \(Protocol .*\): install the packages it needs"
    ):
        index_tar("nosuch://x/s.tar")
    with pytest.raises(IGRError, match=r"^/none/s\.tar cannot be opened \(No such file or directory\)"):
        index_tar("/none/s.tar")


def test_shards_of_a_folder_are_in_order(tmp_path: Path) -> None:
    for name in ("s-1.tar", "s-0.tar", "s-0.tar.index.json"):
        (tmp_path / name).touch()
    assert shard_urls(str(tmp_path)) == [str(tmp_path / "s-0.tar"), str(tmp_path / "s-1.tar")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(IGRError, match="empty contains no tars"):
        shard_urls(str(tmp_path / "empty"))


@pytest.mark.parametrize("pattern", ["x-{0..99999999999}.tar", "{0..999}{0..999}.tar", "{a,b}-{1..50001}.tar"])
def test_patterns_do_not_name_more_tars_than_there_can_be(pattern: str) -> None:
    with pytest.raises(IGRError, match=r"expands to [0-9,]+ tar files: use at most 100,000"):
        expand_braces(pattern)
    with pytest.raises(IGRError, match="is not a valid pattern"):
        expand_braces(f"x-{{0..{'9' * 5000}}}.tar")
    assert len(expand_braces("x-{1..100000}.tar")) == 100_000


@pytest.mark.parametrize(
    "place", [[512, 10**15], [-512, 100], [10**30, 1], [0, -1], [1.0, 1], ["0", 1], [True, 1], [0]]
)
def test_an_index_of_places_outside_the_tar_is_not_used(tmp_path: Path, place: list[object]) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    scanned = index_tar(str(path))
    content = {"size": path.stat().st_size, "samples": {"a": {"person.jpg": place}}, "labels": {}}
    path.with_name(path.name + INDEX_ENDING).write_text(json.dumps(content))
    assert index_tar(str(path)) == scanned


@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff", b"[]", b'{"size": 1e999}'])
def test_a_damaged_index_is_not_used(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    path.with_name(path.name + INDEX_ENDING).write_bytes(content)
    assert set(index_tar(str(path)).samples) == {"a/0", "a/1", "x" * 120 + "/2"}


def test_json_that_is_nested_deeply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed({"a.json": b"[" * 200_000}))
    with pytest.raises(IGRError, match=r"s\.tar:a\.json is nested too deeply: copy the file again"):
        index_tar(str(path))


def test_a_member_larger_than_the_tar_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    member = tarfile.TarInfo("a.json")
    member.size = 10**12
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(IGRError, match=r"s\.tar is truncated within a\.json"):
        index_tar(str(path))
