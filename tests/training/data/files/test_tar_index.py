"""Finding members of tars: braces, headers, index files, and URLs."""

import io
import json
import os
import tarfile
from pathlib import Path

import fsspec
import pytest

from igr_core.errors import IGRError
from training.data.files.tar_index import INDEX_ENDING, index_tar, write_index
from training.data.files.tar_names import expand_braces, shard_urls


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


def test_the_index_beside_a_tar_matches_its_headers(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    scanned = index_tar(str(path))
    write_index(path)
    beside = path.with_name(path.name + INDEX_ENDING)
    assert index_tar(str(path)) == scanned
    content = json.loads(beside.read_text())
    content["labels"]["a/0"]["category"] = "lower"
    beside.write_text(json.dumps(content))
    assert index_tar(str(path)).labels["a/0"]["category"] == "lower"  # the index file is read, not the headers
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(IGRError, match=r"is 1024 bytes, but its index was made for"):
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


def test_a_file_url_is_a_local_path(tmp_path: Path) -> None:
    (tmp_path / "s 1.tar").write_bytes(packed(MEMBERS))
    assert index_tar(f"file://{tmp_path}/s%201.tar").read("a/1", "person.jpg") == b"qqq"


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
    for name in ("s-1.TAR", "s-0.tar", "s-0.tar.index.json"):
        (tmp_path / name).touch()
    assert shard_urls(str(tmp_path)) == [str(tmp_path / "s-0.tar"), str(tmp_path / "s-1.TAR")]
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


def without_pieces(path: Path) -> None:
    """Convert an index to the format of an earlier version."""
    beside = path.with_name(path.name + INDEX_ENDING)
    content = json.loads(beside.read_text())
    del content["pieces"]
    beside.write_text(json.dumps(content))


@pytest.mark.parametrize("earlier", [False, True], ids=["", "earlier version"])
@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_the_index_of_another_tar_of_the_same_size_is_not_used(tmp_path: Path, earlier: bool, remote: bool) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed({"a.json": b'{"category": "upper"}', "a.person.jpg": b"p" * 700}))
    write_index(path)
    if earlier:
        without_pieces(path)
    beside = path.with_name(path.name + INDEX_ENDING).read_bytes()
    other = packed({"a.json": b'{"category": "lower"}', "a.person.jpg": b"q" * 701})
    assert len(other) == path.stat().st_size
    url = str(path)
    if remote:
        url = f"memory://replaced{earlier}/s.tar"
        for name, data in ((url, other), (url + INDEX_ENDING, beside)):
            with fsspec.open(name, "wb") as file:
                file.write(data)
    else:
        path.write_bytes(other)
    index = index_tar(url)
    assert index.labels["a"] == {"category": "lower"} and index.read("a", "person.jpg") == b"q" * 701


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_the_index_of_an_earlier_version_is_still_used(tmp_path: Path, remote: bool) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    write_index(path)
    without_pieces(path)
    beside = path.with_name(path.name + INDEX_ENDING)
    beside.write_text(beside.read_text().replace('"upper"', '"lower"'))  # shows which file was read
    url = str(path)
    if remote:
        url = "memory://earlier/s.tar"
        for name, data in ((url, path.read_bytes()), (url + INDEX_ENDING, beside.read_bytes())):
            with fsspec.open(name, "wb") as file:
                file.write(data)
    assert index_tar(url).labels["a/0"] == {"category": "lower"}


def test_a_new_index_replaces_that_of_an_earlier_tar(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    write_index(path)
    path.write_bytes(packed(MEMBERS | {"b.person.jpg": b"s" * 20_000}))
    write_index(path)
    assert "b" in index_tar(str(path)).samples


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.tar")
    with pytest.raises(IGRError, match=r"s\.tar is not a file: choose a tar file"):
        index_tar(str(tmp_path / "s.tar"))


def linked(*links: tuple[str, bytes, str]) -> bytes:
    """MEMBERS after these links, each with its name, type and target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            tar.addfile(link)
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_a_link_has_the_content_of_its_target(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    links = (
        ("b/7.person.jpg", tarfile.LNKTYPE, "./a/0.person.JPG"),
        ("b/8.person.jpg", tarfile.SYMTYPE, "7.person.jpg"),
        ("./b/7.json", tarfile.SYMTYPE, "../a/0.json"),
        ("latest", tarfile.SYMTYPE, "/elsewhere"),
    )
    path.write_bytes(linked(*links))
    index = index_tar(str(path))
    assert index.read("b/7", "person.jpg") == index.read("b/8", "person.jpg") == b"p" * 700
    assert index.labels["b/7"] == {"category": "upper"} and list(index.samples)[0] == "b/7"
    write_index(path)
    assert index_tar(str(path)) == index


@pytest.mark.parametrize("target", ["/anna/1.jpg", "../../1.jpg", "nothing.jpg", "1.person.jpg"])
def test_a_link_that_leads_out_of_the_tar_is_named(tmp_path: Path, target: str) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(linked(("b/1.person.jpg", tarfile.SYMTYPE, target)))
    with pytest.raises(
        IGRError, match=r"s\.tar contains b/1\.person\.jpg, a link to .*, which is not a file in the tar"
    ):
        index_tar(str(path))


def test_a_sparse_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    member = tarfile.TarInfo("a.person.jpg")
    member.type = tarfile.GNUTYPE_SPARSE
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(IGRError, match=r"stores a\.person\.jpg as a sparse file"):
        index_tar(str(path))


def test_a_tar_whose_end_is_zero_is_damaged_if_its_index_lists_more(tmp_path: Path) -> None:
    """A download that reserves the space first leaves such a file if it is interrupted."""
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS))
    write_index(path)
    start, size = index_tar(str(path)).samples["a/1"]["person.jpg"]
    whole = path.read_bytes()
    path.write_bytes(whole[: start - 512] + bytes(len(whole) - start + 512))
    with pytest.raises(IGRError, match=r"s\.tar is damaged, because 2 of the 4 members in its index are missing: copy"):
        index_tar(str(path))


def test_a_tar_with_more_zeros_than_padding_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed(MEMBERS) + bytes(1 << 16))  # as written by tar --blocking-factor
    assert len(index_tar(str(path)).samples) == 3
    path.write_bytes(packed(MEMBERS) + bytes(1 << 20))
    with pytest.raises(IGRError, match=r"s\.tar is damaged, because its last [0-9,]+ of [0-9,]+ bytes are zero"):
        index_tar(str(path))


def test_data_after_the_end_of_a_tar_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(packed({"a.person.jpg": b"1"}) + packed({"b.person.jpg": b"2"}))
    with pytest.raises(IGRError, match=r"s\.tar has more data after its end at byte 1024: .* joined with cat"):
        index_tar(str(path))
