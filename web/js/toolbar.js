// The row of tools above the editor's photo: points, brush and eraser, the brush's width, and zoom.

const BUTTON =
    "flex:none;min-width:24px;height:22px;padding:0 6px;border:1px solid #555;border-radius:4px;background:#2a2a2a;" +
    "color:#ddd;font:11px/20px sans-serif;cursor:pointer;";
const CHOSEN = "#2f6f4f";
export const TOOLS = {
    points: ["Points", "Click to include, right-click to exclude, drag a box (P)"],
    brush: ["Brush", "Paint onto the mask (B)"],
    eraser: ["Eraser", "Erase from the mask (E)"],
};
export const WIDTHS = { least: 2, most: 200, start: 24 }; // of the brush, in screen pixels at zoom 1

/** Build the toolbar of an editor; `update` shows which tool is chosen. */
export function buildToolbar(editor) {
    const row = document.createElement("div");
    row.setAttribute("role", "toolbar");
    row.style.cssText = "flex:none;display:flex;flex-wrap:wrap;gap:4px;align-items:center;user-select:none;";
    const buttons = Object.entries(TOOLS).map(([tool, [label, title]]) => [
        tool, addButton(row, label, title, () => editor.choose(tool)),
    ]);
    const width = document.createElement("input");
    Object.assign(width, { type: "range", min: WIDTHS.least, max: WIDTHS.most, value: WIDTHS.start });
    width.title = "Width of the brush and the eraser ([ and ])";
    width.setAttribute("aria-label", "Brush width");
    width.style.cssText = "flex:1 1 40px;min-width:40px;max-width:100px;height:16px;";
    width.addEventListener("input", () => editor.setBrush(Number(width.value)));
    width.addEventListener("pointerdown", (event) => event.stopPropagation());
    row.append(width);
    addButton(row, "−", "Zoom out (Ctrl+wheel, or minus)", () => editor.zoom(-1));
    addButton(row, "+", "Zoom in (Ctrl+wheel, or plus)", () => editor.zoom(1));
    addButton(row, "Fit", "Show the whole photo (0)", () => editor.zoom(0));
    const update = () => {
        for (const [tool, button] of buttons) {
            button.style.background = tool === editor.tool ? CHOSEN : "#2a2a2a";
            button.setAttribute("aria-pressed", String(tool === editor.tool));
        }
        width.value = editor.brush;
    };
    update();
    return { row, update };
}

function addButton(row, label, title, press) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: label, title });
    button.style.cssText = BUTTON;
    button.addEventListener("pointerdown", (event) => event.stopPropagation()); // otherwise the node would be dragged
    button.addEventListener("click", (event) => { event.stopPropagation(); press(); });
    row.append(button);
    return button;
}
