// Pointer and keyboard input on the editor's canvas: clicks and keys set points, drags set boxes or paint, Ctrl+wheel
// zooms, and the middle button moves a zoomed photo.

import { clamp, round } from "./marks.js";
import { begin, extend } from "./strokes.js";

const DRAG = 5; // screen pixels beyond which a click becomes a drag
const STEP = 4; // screen pixels per arrow key
const LONG_PRESS = 500; // milliseconds after which a touch excludes
const TOOL_KEYS = { p: "points", b: "brush", e: "eraser" };
const ZOOM_KEYS = { "+": 1, "=": 1, "-": -1, 0: 0 };
const WIDTH_KEYS = { "[": 1 / 1.25, "]": 1.25 };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Listen to the canvas of an editor. */
export function listen(editor) {
    const input = new Input(editor);
    const on = (name, handler) => editor.canvas.addEventListener(name, handler);
    on("pointerdown", (event) => input.press(event));
    on("pointermove", (event) => input.move(event));
    on("pointerup", (event) => input.release(event));
    on("pointercancel", () => { input.drag = input.stroke = input.panned = null; editor.draw(); });
    on("pointerleave", () => { input.pointer = null; if (input.paints) editor.draw(); });
    on("keydown", (event) => input.key(event));
    on("contextmenu", (event) => { event.preventDefault(); event.stopPropagation(); });
    on("focus", () => editor.draw());
    on("blur", () => { input.cursor = null; editor.draw(); });
    editor.canvas.addEventListener("wheel", (event) => input.wheel(event), { passive: false });
    return input;
}

class Input {
    constructor(editor) {
        this.editor = editor;
        this.pointer = null; // the photo's pixel under the pointer
        this.cursor = null; // the keyboard's position on the photo
        this.drag = null;
        this.stroke = null; // being painted
        this.panned = null; // last position of the pointer while it moves the photo
    }

    /** Whether the chosen tool paints onto the mask. */
    get paints() {
        return this.editor.tool !== "points";
    }

    /** The brush under the pointer, or null. */
    get brush() {
        return this.paints && this.pointer ? { place: this.pointer, radius: this.editor.radius } : null;
    }

    /** The box being drawn, or null. */
    get box() {
        return this.drag?.far && !this.drag.excludes ? [...this.drag.start, ...this.drag.end] : null;
    }

    press(event) {
        const { editor } = this;
        if (!event.isPrimary) return; // ignore further fingers
        if (event.button === 1) return this.startPan(event);
        event.preventDefault();
        event.stopPropagation();
        editor.canvas.focus({ preventScroll: true });
        this.cursor = null;
        const start = editor.photo && editor.pixelAt(event);
        if (!start) return editor.photo && editor.say("This is outside the photo.");
        editor.canvas.setPointerCapture(event.pointerId);
        if (this.paints && !editor.isBlocked) {
            this.stroke = begin(editor.tool === "brush" && event.button !== 2, editor.radius, start);
            return editor.draw();
        }
        const excludes = event.button === 2 || event.shiftKey || event.ctrlKey; // Ctrl+click is a right click on macOS
        const { clientX: x, clientY: y, timeStamp: since } = event;
        this.drag = { start, end: start, x, y, since, excludes, far: false };
    }

    move(event) {
        if (!this.editor.photo || !event.isPrimary) return;
        if (this.panned) return this.pan(event);
        this.pointer = this.editor.pixelAt(event);
        if (this.stroke) {
            event.stopPropagation();
            extend(this.stroke, this.editor.pixelAt(event, true));
        }
        if (this.paints) return this.editor.draw();
        if (!this.drag) return;
        event.stopPropagation();
        this.drag.end = this.editor.pixelAt(event, true);
        this.drag.far ||= Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y) > DRAG;
        this.editor.draw();
    }

    release(event) {
        if (!event.isPrimary) return;
        const { drag, stroke, editor } = this;
        this.drag = this.stroke = this.panned = null;
        if (stroke) {
            event.stopPropagation();
            return editor.add("stroke", stroke);
        }
        if (!drag) return;
        event.stopPropagation();
        const [left, right] = [drag.start[0], drag.end[0]].sort((a, b) => a - b);
        const [top, bottom] = [drag.start[1], drag.end[1]].sort((a, b) => a - b);
        const held = !drag.far && event.pointerType === "touch" && event.timeStamp - drag.since > LONG_PRESS;
        if (drag.excludes || held) editor.add("negative", drag.start);
        else if (!drag.far) editor.add("positive", drag.start);
        else if (right - left >= 1 && bottom - top >= 1) editor.add("box", [left, top, right, bottom]);
        else editor.draw();
    }

    startPan(event) {
        if (!this.editor.view.isZoomed) return; // ComfyUI moves the graph instead
        event.preventDefault();
        event.stopPropagation();
        this.editor.canvas.setPointerCapture(event.pointerId);
        this.panned = [event.clientX, event.clientY];
    }

    pan(event) {
        const { canvas, view } = this.editor, zoom = canvas.getBoundingClientRect().width / canvas.clientWidth;
        const [x, y] = this.panned;
        view.pan((event.clientX - x) / zoom, (event.clientY - y) / zoom, [canvas.clientWidth, canvas.clientHeight]);
        this.panned = [event.clientX, event.clientY];
        event.stopPropagation();
        this.editor.draw();
    }

    wheel(event) {
        const { editor } = this;
        if (!event.ctrlKey || !editor.photo) return editor.app.canvas?.processMouseWheel?.(event);
        event.preventDefault();
        event.stopPropagation();
        const seen = editor.canvas.getBoundingClientRect(), zoom = seen.width / editor.canvas.clientWidth;
        const place = [event.clientX - seen.left - seen.width / 2, event.clientY - seen.top - seen.height / 2];
        editor.zoom(event.deltaY < 0 ? 1 : -1, place.map((one) => one / zoom));
    }

    key(event) {
        const { editor } = this;
        const step = ARROWS[event.key], key = event.key.toLowerCase();
        const plain = !event.altKey && !event.metaKey && !event.ctrlKey;
        if (key === "z" && plain && !event.shiftKey) editor.undo(); // Ctrl+Z is the graph's undo
        else if (key === "c" && plain) editor.clear();
        else if (key in TOOL_KEYS && plain) editor.choose(TOOL_KEYS[key]);
        else if (key in ZOOM_KEYS && plain) editor.zoom(ZOOM_KEYS[key]);
        else if (key in WIDTH_KEYS && plain) editor.setBrush(editor.brush * WIDTH_KEYS[key]);
        else if (key === "delete" || key === "backspace") editor.removeNearest(this.cursor ?? this.pointer);
        else if (step && editor.photo) this.walk(step, event.shiftKey ? 5 : 1);
        else if ((key === "enter" || key === " ") && plain && this.cursor) {
            editor.add(key === "enter" ? "positive" : "negative", [...this.cursor]);
        } else return;
        event.preventDefault();
        event.stopPropagation(); // otherwise the graph would delete the node
    }

    walk([across, down], times) {
        const { naturalWidth: width, naturalHeight: height } = this.editor.photo;
        const pixels = (STEP * times) / this.editor.place().scale;
        const [x, y] = this.cursor ?? [width / 2, height / 2];
        this.cursor = [
            round(clamp(x + across * pixels, 0, width - 1)), round(clamp(y + down * pixels, 0, height - 1)),
        ];
        this.editor.draw();
    }
}
