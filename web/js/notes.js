// Shows the notes from a run on the pack's nodes, warnings first, and the warnings inside a subgraph on its outer node.
// ComfyUI's own progress texts are not used: newer frontends clear them when the run ends.

const WIDGET = "igr_notes";
const LINE = 14, PADDING = 30, MOST = 190; // layout pixels: height of a line, space around the lines, maximum height
const LETTER = 5.6; // mean width of a letter in layout pixels
const TOAST = 20_000; // milliseconds
// The new node design would give notes half of a node's free height; the image on the node needs it.
const STYLE = `
.igr-notes { max-height: ${MOST}px; }
.lg-node-widgets:has(.igr-notes):not(:has(.igr-segment, textarea)) { flex: none !important; }`;

/** Notes [{text, warning}] without repetitions, warnings first. */
export function inOrder(notes) {
    const seen = new Map(notes.map((note) => [note.text, note]));
    return [...seen.values()].sort((one, other) => Number(other.warning) - Number(one.warning));
}

/** Height in layout pixels that notes need on a node of this width. */
export function heightOf(notes, width) {
    const letters = Math.max(20, (width - 40) / LETTER);
    const lines = notes.reduce((sum, { text }) => sum + Math.max(1, Math.ceil(text.length / letters)), 0);
    return Math.min(MOST, lines * LINE + PADDING);
}

/** Show notes on a node in a widget of their own; without notes, the widget is removed. */
export function showNotes(node, notes) {
    const widget = node.widgets?.find((one) => one.name === WIDGET);
    if (!notes.length) {
        if (widget) {
            widget.igrNotes = [];
            widget.element.replaceChildren();
            node.removeWidget?.(widget);
        }
        return true;
    }
    const shown = widget ?? addWidget(node);
    if (!shown) return false;
    shown.igrNotes = inOrder(notes);
    shown.element.replaceChildren(...shown.igrNotes.map(lineOf));
    const [width, height] = node.computeSize();
    node.setSize([Math.max(width, node.size[0]), Math.max(height, node.size[1])]);
    node.setDirtyCanvas?.(true, true);
    return true;
}

function addStyle() {
    if (document.getElementById(WIDGET)) return;
    const style = document.createElement("style");
    style.id = WIDGET;
    style.textContent = STYLE;
    document.head.append(style);
}

function addWidget(node) {
    const element = document.createElement("div");
    element.className = "igr-notes";
    element.setAttribute("role", "status");
    element.style.cssText =
        "overflow:auto;font:11px/14px sans-serif;color:#ddd;user-select:text;box-sizing:border-box;padding:2px 4px;";
    let widget = null;
    const height = () => heightOf(widget?.igrNotes ?? [], node.size[0]);
    try {
        widget = node.addDOMWidget(WIDGET, WIDGET, element, {
            serialize: false, hideOnZoom: false, getMinHeight: height, getMaxHeight: height,
        });
    } catch {
        return null;
    }
    if (!node.widgets?.includes(widget)) return null; // a subgraph's node only has the widgets of its inputs
    addStyle();
    widget.serialize = false;
    return widget;
}

function lineOf({ text, warning }) {
    const line = document.createElement("div");
    line.textContent = warning ? `⚠ ${text}` : text;
    if (warning) line.style.color = "#ffc857";
    return line;
}

/** Warnings of the nodes inside each subgraph, by the id of the subgraph's node in the root graph. */
export class SubgraphWarnings {
    constructor({ app, api }) {
        this.app = app;
        this.inside = new Map();
        api.addEventListener("executed", ({ detail }) => this.onExecuted(detail));
    }

    onExecuted({ node: name, output }) {
        const [outer, ...inner] = String(name).split(":");
        if (!inner.length || !output?.igr_notes) return;
        const node = this.app.graph?.getNodeById?.(outer) ?? this.app.rootGraph?.getNodeById?.(outer);
        if (!node) return;
        const notes = this.inside.get(outer) ?? new Map();
        notes.set(inner.join(":"), output.igr_notes.filter((note) => note.warning));
        this.inside.set(outer, notes);
        const all = inOrder([...notes.values()].flat());
        if (showNotes(node, all) || !output.igr_notes.some((note) => note.warning)) return;
        const detail = all.map((note) => note.text).join("\n");
        this.app.extensionManager?.toast?.add?.({ severity: "warn", summary: node.title, detail, life: TOAST });
    }
}
