"""The nodes' interface for users and other packs, read from the source: ids, names, texts and sockets."""

from __future__ import annotations

import re

import pytest

from tests.support.nodes.node_schemas import (
    DISPLAY_NAMES,
    listed_classes,
    node_classes,
    our_schemas,
    our_words,
    socket_types,
)

every_node = pytest.mark.parametrize("name", sorted(our_schemas()))


def test_ids_and_names_are_those_that_workflows_hold() -> None:
    assert {name: words.display_name for name, words in our_words().items()} == DISPLAY_NAMES


def test_every_node_class_is_listed_once_and_named_like_its_id() -> None:
    assert sorted(listed_classes()) == sorted(node_classes().values())
    assert len(set(listed_classes())) == len(listed_classes())
    assert all(node_id == name for node_id, name in node_classes().items())


@every_node
def test_ids_carry_the_prefix_and_inputs_are_whole_words(name: str) -> None:
    assert re.fullmatch(r"IGR[A-Z][A-Za-z]+", name)
    for field in (*our_schemas()[name].inputs, *our_schemas()[name].outputs):
        given = field[0] if isinstance(field, tuple) else field.name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", given), given


@every_node
def test_node_inputs_and_outputs_are_explained(name: str) -> None:
    words, schema = our_words()[name], our_schemas()[name]
    texts = {"description": words.description, **words.input_tooltips, **words.output_tooltips}
    assert {one.name for one in schema.inputs} | {one for one, _ in schema.outputs} < set(texts)
    for field, text in texts.items():
        assert len(text) > 10 and text == text.strip() and "  " not in text, (field, text)
        assert text.endswith("."), (field, text)
        assert len(text) < 450, (field, len(text))


@every_node
def test_search_finds_the_node_by_three_other_names(name: str) -> None:
    aliases = our_words()[name].search_aliases
    assert len(set(aliases)) == len(aliases) >= 3
    assert our_words()[name].display_name.lower() not in aliases


def test_display_names_and_descriptions_tell_nodes_apart() -> None:
    words = list(our_words().values())
    assert len({one.display_name for one in words}) == len({one.description for one in words}) == len(words)


def test_sockets_of_the_pack_carry_its_prefix() -> None:
    assert set(socket_types().values()) - {"BOUNDING_BOX"} == {
        "IGR_ADAPTER",
        "IGR_EVIDENCE",
        "IGR_FLAT",
        "IGR_PARSER",
        "IGR_REFERENCE",
        "IGR_SEGMENTER",
        "IGR_VIEW",
    }


def test_every_socket_of_the_pack_has_a_node_on_each_side() -> None:
    given = {kind for schema in our_schemas().values() for _, kind in schema.outputs}
    taken = {one.type for schema in our_schemas().values() for one in schema.inputs}
    ours = {kind for kind in socket_types().values() if kind.startswith("IGR_")}
    assert ours <= given and ours <= taken


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("IGRLoad", ["MODEL", "IGR_ADAPTER", "VAE"]),
        ("IGRGarmentView", ["IGR_VIEW", "IMAGE", "MASK", "IMAGE"]),
        ("IGRGarmNetEncode", ["IGR_REFERENCE"]),
        ("IGRApply", ["MODEL", "CONDITIONING", "CONDITIONING", "LATENT"]),
        ("IGRSample", ["LATENT"]),
        ("IGRCombineReferences", ["IGR_REFERENCE", "IGR_VIEW"]),
        ("IGRGarmentEvidence", ["IGR_EVIDENCE", "MASK", "IMAGE", "FLOAT", "STRING"]),
        ("IGRTransferDetails", ["IMAGE", "MASK"]),
        ("IGRFlattenGarment", ["IGR_FLAT", "LATENT", "IMAGE", "MASK", "FLOAT", "STRING"]),
        ("IGRCompleteGarment", ["IMAGE", "MASK", "MASK"]),
        ("IGRRankCandidates", ["IMAGE", "IMAGE", "IGR_EVIDENCE", "STRING"]),
        ("IGRGarmentSegment", ["MASK", "IMAGE"]),
        ("IGRGarmentByCategory", ["MASK", "COMBO", "IMAGE"]),
    ],
)
def test_outputs_are_the_hosts_types_in_an_order_that_wires_rely_on(name: str, kinds: list[str]) -> None:
    assert [kind for _, kind in our_schemas()[name].outputs] == kinds
