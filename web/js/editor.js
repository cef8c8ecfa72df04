// The editor of Garment Segment: the photo on the node with points, a box, strokes, and the resulting mask.
// The marks are stored only in the node's `points` widget, so workflows save them and run without this file.

import { askForMask } from "./request.js";
import { draw, pixelAt, placeOf } from "./canvas.js";
import { listen } from "./input.js";
import { MAX_POINTS, Marks, Memory, clamp, parseMarks } from "./marks.js";
import { lastRunOf, loadPhoto, originOf, sourceOf, widgetValue } from "./source.js";
import { painted } from "./strokes.js";
import { WIDTHS, buildToolbar } from "./toolbar.js";
import { View } from "./view.js";

const LOOK = 300; // milliseconds between checks of the graph for a new source, model or points
const RETRY = 1000; // milliseconds until a request is repeated if ComfyUI is busy
const BUSY = 429;
const HINTS = {
    points: "Click: include. Right click, Shift+click, long press: exclude. Drag: box. Z: undo. C: clear. Del: remove "
        + "nearest.",
    brush: "Drag to paint onto the mask; right button: erase. [ and ]: width. Z: undo. C: clear.",
    eraser: "Drag to erase from the mask. [ and ]: width. Z: undo. C: clear.",
};
const SWAPPED = "The photo has changed, but the marks have not: press C to clear them.";
const tools = new Map(); // tool and brush by node, for editors that the graph's undo recreates
const memory = new Memory(200); // order and photo of marks, for the same editors

export class Editor {
    constructor(node, { app, api }) {
        this.node = node;
        this.app = app;
        this.api = api;
        this.shown = null; // the photo of the last run, for sources without a file name
        this.photo = null; // HTMLImageElement, once loaded
        this.mask = null;
        this.marks = new Marks();
        this.error = null; // reason why the widget's text is invalid
        this.owner = null; // the photo on which the marks were set, or with which they were first seen
        this.request = 0;
        this.requesting = false;
        this.removed = false;
        this.message = ""; // the last response's scores or error, or another message
        this.seen = {};
        this.tool = "points";
        this.brush = WIDTHS.start; // in screen pixels at zoom 1
        this.view = new View();
        this.build();
        this.input = listen(this);
        this.observer = new ResizeObserver(() => this.draw());
    }

    /** Start checking the graph; nodes that are only created to be copied never get here. */
    start() {
        this.removed = false;
        Object.assign(this, tools.get(this.key));
        this.choose(this.tool);
        clearInterval(this.timer);
        this.timer = setInterval(() => this.look(), LOOK);
        this.observer.observe(this.canvas);
    }

    stop() {
        clearInterval(this.timer);
        this.observer.disconnect();
        this.removed = true;
        this.request++;
        this.stopRequest?.();
    }

    build() {
        this.root = document.createElement("div");
        this.root.className = "igr-segment";
        // The new node design of older frontends gives it no height of its own.
        this.root.style.cssText = "display:flex;flex-direction:column;gap:4px;width:100%;height:100%;min-height:300px;";
        this.toolbar = buildToolbar(this);
        this.canvas = document.createElement("canvas");
        this.canvas.tabIndex = 0;
        this.canvas.setAttribute("role", "application");
        this.canvas.setAttribute("aria-label", `Photo to mark. ${HINTS.points} Arrow keys: move. Enter: include. Space: exclude.`);
        this.canvas.style.cssText =
            "flex:1 1 0;min-height:0;width:100%;background:#1b1b1b;border-radius:4px;cursor:crosshair;touch-action:none;";
        // Texts of any length are readable, because they scroll instead of being clipped.
        const style = "flex:none;font:11px/14px sans-serif;min-height:28px;max-height:56px;overflow:auto;";
        this.status = document.createElement("div");
        this.status.setAttribute("role", "status");
        this.status.style.cssText = `${style}color:#eee;`;
        this.hint = document.createElement("div");
        this.hint.style.cssText = `${style}color:#999;user-select:none;`;
        this.hint.textContent = HINTS.points;
        this.root.append(this.toolbar.row, this.canvas, this.status, this.hint);
    }

    // The graph --------------------------------------------------------------------------------------------------

    /** Follow changes to the photo, model, candidates and points, wherever they come from. */
    look() {
        if (!this.node.graph || document.hidden) return;
        this.attach();
        this.shown ??= lastRunOf(this.node, this.app.nodeOutputs);
        const person = originOf(this.node, "person"), segmenter = originOf(this.node, "segmenter");
        const { image, content } = sourceOf(person, this.shown);
        const now = {
            image: JSON.stringify(image),
            photo: content ?? JSON.stringify(image),
            linked: Boolean(person),
            model: segmenter ? widgetValue(segmenter.node, "model") ?? "" : null, // "" if it is not visible from here
            candidates: widgetValue(this.node, "candidates"),
            points: widgetValue(this.node, "points"),
        };
        const moved = Object.keys(now).filter((name) => now[name] !== this.seen[name]);
        if (!moved.length) return;
        this.seen = now;
        if (moved.includes("points")) this.read(now.points);
        // Each run gives the photo a new name; a photo that is already shown stays.
        if (moved.includes("photo") || (moved.includes("image") && !this.photo)) this.load(image);
        else if (["model", "candidates", "points"].some((name) => moved.includes(name)) || !this.mask) this.refresh();
        else this.draw();
    }

    /**
     * Replace the editor of an earlier node with the same id: in the new node design, the graph's undo creates the node
     * again but keeps the element of the old one.
     */
    attach() {
        if (this.root.isConnected || this.node.graph !== this.app.canvas?.graph) return;
        const place = document.querySelector(`[data-node-id="${CSS.escape(String(this.node.id))}"] .igr-segment`);
        if (place && place !== this.root) {
            place.replaceWith(this.root);
            this.draw();
        }
    }

    read(text) {
        const { marks, error } = parseMarks(text);
        const kept = memory.recall(text);
        this.marks = kept ? new Marks(marks, kept.order) : marks;
        this.error = error;
        this.owner = kept?.owner ?? null;
        this.message = "";
    }

    async load(image) {
        this.request++; // ignore responses about the previous photo
        this.stopRequest?.();
        this.photo = this.mask = null;
        this.message = "";
        this.view.fit();
        this.draw();
        if (!image) return;
        const wanted = this.seen.image;
        const photo = await loadPhoto(image, (path) => this.api.apiURL(path));
        if (wanted !== this.seen.image || this.removed) return;
        this.photo = photo;
        if (photo) this.refresh();
        else this.say("The photo cannot be shown: choose it again in Load Image, or run again.");
    }

    /** Show a run's output: the photo to mark, and the scores. */
    showRun(output) {
        if (output?.igr_photo?.length) this.shown = output.igr_photo[0];
        if (output?.text?.length) this.say([].concat(output.text).join(" "));
    }

    // Marks ------------------------------------------------------------------------------------------------------

    /** Whether the marks were set on another photo, of any size. */
    get swapped() {
        return Boolean(!this.marks.isEmpty && this.photo && this.owner !== null && this.owner !== this.seen.photo);
    }

    /** Whether the marks were set on a photo of a different size. */
    get foreign() {
        return Boolean(this.photo && this.marks.isForeignTo(this.photo.naturalWidth, this.photo.naturalHeight));
    }

    /** Write the marks to the widget, which the workflow saves, as one undo step of the graph. */
    write() {
        if (this.photo) this.marks.size = [this.photo.naturalWidth, this.photo.naturalHeight];
        const widget = this.node.widgets.find((one) => one.name === "points");
        const text = this.marks.toText();
        this.seen.points = text;
        this.owner = this.photo ? this.seen.photo : null;
        memory.keep(text, { order: [...this.marks.order], owner: this.owner });
        this.app.canvas?.emitBeforeChange?.();
        try {
            widget.value = text;
            widget.callback?.(text);
            this.node.graph?.change?.();
        } finally {
            this.app.canvas?.emitAfterChange?.();
        }
        this.error = null;
        this.message = "";
        this.refresh();
    }

    /** Whether nothing can be marked; the status shows the reason. */
    get isBlocked() {
        return Boolean(this.error || this.foreign);
    }

    add(kind, value) {
        if (this.isBlocked) return this.draw(); // shows the reason
        if (kind === "stroke" && this.marks.isPainted) {
            return this.say("There are too many strokes: undo some with Z, or clear all with C.");
        }
        if ((kind === "positive" || kind === "negative") && this.marks.isFull) {
            return this.say(`There are already ${MAX_POINTS} points: remove some with Z or Del.`);
        }
        this.marks.add(kind, value);
        this.write();
    }

    undo() {
        if (this.foreign) return this.draw(); // the remaining marks would count as set on this photo
        if (this.marks.undo()) this.write();
    }

    clear() {
        this.marks = new Marks();
        this.write();
    }

    /** Remove the point nearest to a place on the photo, or the last mark if there is no place. */
    removeNearest(place) {
        if (this.foreign) return this.draw();
        if (place && this.marks.removeNearest(place)) this.write();
        else this.undo();
    }

    // Mask -------------------------------------------------------------------------------------------------------

    /** Update the mask for the marks, with one request at a time; if the marks change meanwhile, another one follows. */
    async refresh() {
        const turn = ++this.request;
        if (this.photo) this.owner ??= this.seen.photo;
        if (!this.photo || this.foreign || !this.marks.asksForMask) {
            this.mask = null;
            return this.draw();
        }
        if (!this.seen.model) {
            this.mask = null;
            return this.say(this.seen.model === null ? "Connect IGR Load Segmenter to see the mask."
                : "The editor cannot see which segmenter is connected: run the workflow to see the mask.");
        }
        if (!this.mask) this.say("Reading the photo…");
        this.draw();
        if (this.requesting) return;
        this.requesting = true;
        try {
            await this.ask(turn);
        } finally {
            this.requesting = false;
        }
        if (turn !== this.request && !this.removed) this.refresh();
    }

    async ask(turn) {
        const { model, image, candidates } = this.seen;
        const stop = new AbortController();
        this.stopRequest = () => stop.abort();
        const request = { model, image: JSON.parse(image), points: this.marks.prompt, candidates: candidates ?? "best" };
        const { mask, scores, error, status } = await askForMask(this.api, request, stop);
        if (turn !== this.request) return;
        if (mask) {
            this.mask = mask;
            return this.say(scores);
        }
        if (status === BUSY) setTimeout(() => turn === this.request && this.refresh(), RETRY);
        else if (status) this.mask = null;
        this.say(error);
    }

    // Display ---------------------------------------------------------------------------------------------------

    place() {
        return placeOf(this.canvas, this.photo, this.view);
    }

    pixelAt(event, nearest = false) {
        return pixelAt(this.canvas, this.photo, event, nearest, this.view);
    }

    /** Radius of the brush in pixels of the photo. */
    get radius() {
        return this.brush / 2 / this.place().scale;
    }

    get key() {
        return `${this.node.graph?.id}:${this.node.id}`;
    }

    choose(tool) {
        this.tool = tool;
        tools.set(this.key, { tool, brush: this.brush });
        this.hint.textContent = HINTS[tool];
        this.toolbar.update();
        this.draw();
    }

    setBrush(width) {
        this.brush = clamp(width, WIDTHS.least, WIDTHS.most);
        tools.set(this.key, { tool: this.tool, brush: this.brush });
        this.toolbar.update();
        this.draw();
    }

    /** Zoom in (1) or out (-1) at a place measured from the canvas's centre, or show the whole photo (0). */
    zoom(steps, place) {
        if (steps) this.view.step(steps, place);
        else this.view.fit();
        this.draw();
    }

    /** Show a message below the photo. */
    say(message) {
        this.message = message;
        this.draw();
    }

    draw() {
        this.status.textContent = this.statusText();
        const { photo, marks, view } = this;
        const { box, cursor, brush, stroke } = this.input;
        const strokes = stroke ? [...marks.strokes, stroke] : marks.strokes;
        const mask = photo && !this.foreign
            ? painted(this.mask, strokes, [photo.naturalWidth, photo.naturalHeight]) : this.mask;
        draw(this.canvas, { photo, mask, marks, box: box ?? marks.box, cursor, view, brush });
    }

    statusText() {
        if (this.error) return this.error;
        if (this.foreign) {
            const { naturalWidth: width, naturalHeight: height } = this.photo;
            const was = this.marks.size.join("×");
            return `These marks belong to a ${was} photo, but this one is ${width}×${height}: press C to clear them.`;
        }
        const message = [this.swapped && SWAPPED, this.message].filter(Boolean).join(" ");
        if (message || this.photo) return message;
        if (this.seen.linked === false) return "Connect a photo to person.";
        return this.seen.image === "null" ? "Run once to see the photo: its file is not known yet." : "";
    }
}
