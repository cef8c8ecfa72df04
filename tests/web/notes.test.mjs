// Notes of a run: warnings come first, once each, and those inside a subgraph reach its outer node.
import assert from "node:assert/strict";
import { test } from "node:test";

import { SubgraphWarnings, heightOf, inOrder } from "../../web/js/notes.js";

const note = (text, warning = false) => ({ text, warning });

test("warnings come before measurements, and nothing twice", () => {
    const given = [note("12 % garment"), note("The mask is small.", true), note("12 % garment"), note("Cut.", true)];
    assert.deepEqual(inOrder(given).map(({ text }) => text), ["The mask is small.", "Cut.", "12 % garment"]);
});

test("a narrower node needs more lines, up to a limit", () => {
    const notes = [note("word ".repeat(40))];
    assert.ok(heightOf(notes, 200) > heightOf(notes, 400));
    assert.equal(heightOf(Array(99).fill(notes[0]), 200), heightOf(Array(50).fill(notes[0]), 200));
});

/** A subgraph's node that takes no widgets, and what is reported about it. */
function outside() {
    const toasts = [], listeners = {};
    const node = { id: "12", title: "Restore Garment", widgets: [], size: [300, 200], addDOMWidget() { throw Error(); } };
    const app = {
        graph: { getNodeById: (id) => (id === "12" ? node : null) },
        extensionManager: { toast: { add: (toast) => toasts.push(toast) } },
    };
    globalThis.document = { createElement: () => ({ style: {}, setAttribute() {}, replaceChildren() {} }) };
    const api = { addEventListener: (name, listener) => { listeners[name] = listener; } };
    new SubgraphWarnings({ app, api });
    return { toasts, run: (detail) => listeners.executed({ detail }) };
}

test("warnings inside a subgraph are shown with the name of its node", () => {
    const { toasts, run } = outside();
    run({ node: "12:102", output: { igr_notes: [note("The mask is small.", true), note("12 % garment")] } });
    assert.deepEqual(toasts.map(({ summary, detail }) => [summary, detail]), [["Restore Garment", "The mask is small."]]);
});

test("nodes outside of subgraphs and runs without warnings are quiet", () => {
    const { toasts, run } = outside();
    run({ node: "7", output: { igr_notes: [note("The mask is small.", true)] } });
    run({ node: "12:102", output: { igr_notes: [note("12 % garment")] } });
    run({ node: "12:103", output: { images: [] } });
    run({ node: "99:1", output: { igr_notes: [note("The mask is small.", true)] } });
    assert.deepEqual(toasts, []);
});
