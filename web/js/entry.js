// Adds the click editor to Garment Segment, and the notes from a run to the pack's nodes. ComfyUI loads every file in
// this folder as an extension; this is the only one that does anything when it is loaded.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { Editor } from "./editor.js";
import { SubgraphWarnings, showNotes } from "./notes.js";
import { followPresets, presetsOf } from "./presets.js";

const NODE = "IGRGarmentSegment";
const PREFIX = "IGR"; // of the pack's node ids
const EDITOR_HEIGHT = 380;
const NODE_SIZE = [380, 580];

/** Hide a widget in both the classic and the new node design; its value stays in the workflow. */
function hide(widget) {
    widget.hidden = true;
    widget.options ??= {};
    widget.options.hidden = true; // changed in place, because the new node design keeps this object
    widget.computeSize = () => [0, -4];
    if (widget.element) widget.element.style.display = "none";
}

function addEditor(node, editor) {
    const widget = node.addDOMWidget("editor", "igr_editor", editor.root, {
        serialize: false,
        hideOnZoom: false,
        getMinHeight: () => EDITOR_HEIGHT,
    });
    widget.serialize = false;
    // The frontend's side panel sets its own width here, which would also change the width on the node.
    Object.defineProperty(widget, "width", { get: () => undefined, set: () => {}, configurable: true });
    node.igrEditor = editor;
}

/** Call `then` after a callback of the node, keeping the existing one. */
function after(node, name, then) {
    const before = node[name];
    node[name] = function () {
        before?.apply(this, arguments);
        then(...arguments);
    };
}

// Colours of the wires for the pack's own types; ComfyUI has colours for its own types only.
const COLOURS = {
    IGR_ADAPTER: "#d9a441", IGR_VIEW: "#4fb3a1", IGR_REFERENCE: "#c17bd6", IGR_PARSER: "#7fa6e0", IGR_SEGMENTER: "#8bc34a",
    IGR_EVIDENCE: "#e58a6b", IGR_FLAT: "#6fc3df",
};

function colourWires(canvas) {
    for (const colours of [canvas?.constructor?.link_type_colors, canvas?.default_connection_color_byType]) {
        if (!colours) continue;
        for (const [type, colour] of Object.entries(COLOURS)) keepColour(colours, type, colour);
    }
}

/** Set a colour that the frontend's palettes can change but not clear; they clear the colours of unknown types. */
function keepColour(colours, type, colour) {
    const set = (given) => { colour = given || colour; };
    Object.defineProperty(colours, type, { get: () => colour, set, enumerable: true, configurable: true });
}

let warnings = null; // of nodes inside subgraphs
const presetsByNode = new Map();

app.registerExtension({
    name: "igr.segment",
    setup() {
        warnings ??= new SubgraphWarnings({ app, api });
        colourWires(app.canvas);
    },
    beforeRegisterNodeDef(_type, definition) {
        const presets = presetsOf(definition);
        if (presets && definition.name?.startsWith(PREFIX)) presetsByNode.set(definition.name, presets);
    },
    nodeCreated(node) {
        const name = node.comfyClass ?? node.type ?? "";
        if (!name.startsWith(PREFIX)) return;
        after(node, "onExecuted", (output) => showNotes(node, output?.igr_notes ?? []));
        if (name === NODE) edit(node);
        if (presetsByNode.has(name)) followPresets(node, presetsByNode.get(name));
    },
});

function edit(node) {
    const points = node.widgets?.find((widget) => widget.name === "points");
    if (!points) return;
    hide(points);
    const editor = new Editor(node, { app, api });
    addEditor(node, editor);
    after(node, "onAdded", () => editor.start());
    after(node, "onExecuted", (output) => editor.showRun(output));
    after(node, "onRemoved", () => editor.stop());
    const [width, height] = node.computeSize();
    node.setSize([Math.max(width, NODE_SIZE[0]), Math.max(height, NODE_SIZE[1])]);
}
