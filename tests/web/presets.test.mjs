// Presets of IGR Sample: the widgets show a preset's settings, and a changed setting is no preset.
import assert from "node:assert/strict";
import { test } from "node:test";

import { followPresets, presetsOf } from "../../web/js/presets.js";

const PRESETS = { draft: { steps: 2, guidance: 1 }, paper: { steps: 25, guidance: 1.5 } };

/** A node whose widgets call their callbacks like the frontend, on a change by the user only or also when set. */
function sampler({ whenSet = false } = {}) {
    const called = [];
    const widgets = [["seed", 7], ["preset", "custom"], ["steps", 9], ["guidance", 1.5]].map(([name, first]) => {
        let held = first;
        const widget = { name, callback: (value) => called.push([name, value]) };
        Object.defineProperty(widget, "value", {
            get: () => held,
            set(value) { held = value; if (whenSet) widget.callback(value); },
        });
        widget.choose = (value) => { if (whenSet) widget.value = value; else { held = value; widget.callback(value); } };
        return widget;
    });
    const node = { widgets };
    followPresets(node, PRESETS);
    return { called, of: Object.fromEntries(widgets.map((widget) => [widget.name, widget])) };
}

for (const whenSet of [false, true]) {
    const how = whenSet ? "callbacks on every change" : "callbacks on the user's changes";
    test(`a preset fills in its settings and nothing else (${how})`, () => {
        const { of } = sampler({ whenSet });
        of.preset.choose("draft");
        assert.deepEqual([of.preset.value, of.steps.value, of.guidance.value, of.seed.value], ["draft", 2, 1, 7]);
        of.preset.choose("paper");
        assert.deepEqual([of.preset.value, of.steps.value, of.guidance.value], ["paper", 25, 1.5]);
    });

    test(`a changed setting selects custom, another widget does not (${how})`, () => {
        const { of, called } = sampler({ whenSet });
        of.preset.choose("draft");
        of.seed.choose(8);
        assert.equal(of.preset.value, "draft");
        of.steps.choose(2); // as it was
        assert.equal(of.preset.value, "draft");
        of.steps.choose(3);
        assert.deepEqual([of.preset.value, of.steps.value, of.guidance.value], ["custom", 3, 1]);
        assert.ok(called.some(([name, value]) => name === "steps" && value === 3), "the widget's own callback still runs");
    });
}

test("custom keeps the settings", () => {
    const { of } = sampler();
    of.preset.choose("draft");
    of.preset.choose("custom");
    assert.deepEqual([of.steps.value, of.guidance.value], [2, 1]);
});

test("presets are read from a node's definition", () => {
    const input = { required: { steps: ["INT", {}] }, optional: { preset: ["COMBO", { presets: PRESETS }] } };
    assert.equal(presetsOf({ input }), PRESETS);
    assert.equal(presetsOf({ input: { required: { preset: [["a", "b"], {}] } } }), null);
    assert.equal(presetsOf({}), null);
});

test("nodes without the widget are left alone", () => {
    const node = { widgets: [{ name: "steps", value: 3 }] };
    followPresets(node, PRESETS);
    assert.equal(node.widgets[0].callback, undefined);
});
