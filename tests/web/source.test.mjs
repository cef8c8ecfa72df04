// The photo is found through reroutes, and named as ComfyUI serves it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { fileOf, lastRunOf, originOf, sourceOf, widgetValue } from "../../web/js/source.js";

/** A graph of nodes {id, type, inputs: {name: [id of the origin, slot]}, widgets: {name: value}}. */
function graphOf(...nodes) {
    const graph = { getNodeById: (id) => made.find((node) => node.id === id) };
    const made = nodes.map(({ id, type, inputs = {}, widgets = {} }) => ({
        id, type, graph,
        inputs: Object.keys(inputs).map((name) => ({ name })),
        widgets: Object.entries(widgets).map(([name, value]) => ({ name, value })),
        getInputLink(slot) {
            const link = Object.values(inputs)[slot];
            return link ? { origin_id: link[0], origin_slot: link[1] } : null;
        },
    }));
    return made;
}

const photo = { id: 1, type: "LoadImage", widgets: { image: "folder/anna.png" } };

describe("the origin of an input", () => {
    test("is the node behind its link", () => {
        const [load, node] = graphOf(photo, { id: 2, type: "Segment", inputs: { mask: null, person: [1, 0] } });
        assert.deepEqual(originOf(node, "person"), { node: load, slot: 0 });
    });

    test("is found through reroutes", () => {
        const nodes = graphOf(
            photo,
            { id: 2, type: "Reroute", inputs: { "": [1, 0] } },
            { id: 3, type: "Reroute", inputs: { "": [2, 0] } },
            { id: 4, type: "Segment", inputs: { person: [3, 0] } },
        );
        assert.equal(originOf(nodes[3], "person").node, nodes[0]);
    });

    test("is null without a link, without such an input, and where reroutes go in a circle", () => {
        const [node, round] = graphOf(
            { id: 1, type: "Segment", inputs: { person: null, other: [2, 0] } },
            { id: 2, type: "Reroute", inputs: { "": [2, 0] } },
        );
        assert.equal(round.type, "Reroute");
        for (const name of ["person", "nothing", "other"]) assert.equal(originOf(node, name), null);
        assert.equal(originOf({}, "person"), null);
    });

    test("has no node where that is out of sight", () => {
        const [node] = graphOf({ id: 1, type: "Segment", inputs: { person: [-10, 2] } });
        assert.deepEqual(originOf(node, "person"), { node: null, slot: 2 });
    });
});

test("file names are split as /view takes them", () => {
    assert.deepEqual(fileOf("anna.png", "input"), { filename: "anna.png", subfolder: "", type: "input" });
    assert.deepEqual(fileOf("a/b/anna.png [output]", "input"), { filename: "anna.png", subfolder: "a/b", type: "output" });
    assert.deepEqual(fileOf("anna [1].png", "output"), { filename: "anna [1].png", subfolder: "", type: "output" });
    for (const none of ["", undefined, "blake3:0123"]) assert.equal(fileOf(none, "input"), null);
});

describe("the source", () => {
    const shown = { filename: "run_00001_.png", subfolder: "", type: "temp", content: "hash" };
    const origin = (node, slot = 0) => ({ node: graphOf(node)[0], slot });

    test("is the file of LoadImage and LoadImageOutput, and an example person", () => {
        assert.deepEqual(sourceOf(origin(photo), shown).image,
            { filename: "anna.png", subfolder: "folder", type: "input" });
        assert.equal(sourceOf(origin({ ...photo, type: "LoadImageOutput" }), null).image.type, "output");
        const example = { id: 1, type: "IGRExamplePerson", widgets: { garment: "upper" } };
        assert.deepEqual(sourceOf(origin(example), null).image, { filename: "upper", subfolder: "", type: "example" });
    });

    test("is else what the last run showed, known by its content", () => {
        const file = { filename: "run_00001_.png", subfolder: "", type: "temp" };
        for (const other of [origin({ id: 1, type: "ImageInvert" }), origin(photo, 1), { node: null, slot: 0 }]) {
            assert.deepEqual(sourceOf(other, shown), { image: file, content: "hash" });
            assert.deepEqual(sourceOf(other, null), { image: null });
        }
    });

    test("is nothing without a link, whatever has run", () => {
        assert.deepEqual(sourceOf(null, shown), { image: null });
    });
});

test("the last run is found by the node's id, inside of subgraphs too", () => {
    const outputs = { 3: { igr_photo: ["root"] }, "abc:3": { igr_photo: ["inner"] } };
    assert.equal(lastRunOf({ id: 3, graph: { isRootGraph: true, id: "abc" } }, outputs), "root");
    assert.equal(lastRunOf({ id: 3, graph: { isRootGraph: false, id: "abc" } }, outputs), "inner");
    assert.equal(lastRunOf({ id: 4, graph: {} }, outputs), null);
    assert.equal(lastRunOf({ id: 4, graph: {} }, undefined), null);
});

test("a widget that is not there has no value", () => {
    const [node] = graphOf(photo);
    assert.deepEqual([widgetValue(node, "image"), widgetValue(node, "x"), widgetValue(null, "image")],
        ["folder/anna.png", undefined, undefined]);
});
