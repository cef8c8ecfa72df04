// Garment Segment's editor: the photo in the node, points and a box on it, and the mask that they give.
// The marks are the node's `points` widget and nothing else, so the workflow carries them and runs without this file.

import { askForMask } from "./asking.js";
import { draw, pixelAt, placeOf } from "./canvas.js";
import { listen } from "./hands.js";
import { MAX_POINTS, Marks, Memory, parseMarks } from "./marks.js";
import { lastRunOf, loadPhoto, originOf, sourceOf, widgetValue } from "./source.js";

const LOOK = 300; // milliseconds between looks at the graph: source, model, points set from elsewhere
const RETRY = 1000; // milliseconds until a busy ComfyUI is asked again
const BUSY = 429;
const HINT =
    "Click: keep. Right click, Shift+click, long press: not this. Drag: box. Z undo, C clear, Del takes the nearest.";
const SWAPPED = "The photo has changed, the marks have not: C clears them.";
const memory = new Memory(200); // order and photo of marks, for editors that a graph's undo makes anew

export class Editor {
    constructor(node, { app, api }) {
        this.node = node;
        this.app = app;
        this.api = api;
        this.shown = null; // the photo of the last run, for sources that name no file
        this.photo = null; // HTMLImageElement, once it is there
        this.mask = null;
        this.marks = new Marks();
        this.error = null; // why the widget's text is no marks
        this.owner = null; // which photo the marks were set on, or first seen with
        this.request = 0;
        this.asking = false;
        this.removed = false;
        this.told = ""; // about the last answer
        this.seen = {};
        this.build();
        this.hands = listen(this);
        this.observer = new ResizeObserver(() => this.draw());
    }

    /** Begin to look at the graph; a node that is only made to be copied never comes into one. */
    start() {
        this.removed = false;
        clearInterval(this.timer);
        this.timer = setInterval(() => this.look(), LOOK);
        this.observer.observe(this.canvas);
    }

    stop() {
        clearInterval(this.timer);
        this.observer.disconnect();
        this.removed = true;
        this.request++;
        this.stopAsking?.();
    }

    build() {
        this.root = document.createElement("div");
        this.root.className = "igr-segment";
        this.root.style.cssText = "display:flex;flex-direction:column;gap:4px;width:100%;height:100%;min-height:0;";
        this.canvas = document.createElement("canvas");
        this.canvas.tabIndex = 0;
        this.canvas.setAttribute("role", "application");
        this.canvas.setAttribute("aria-label", `Photo to mark. ${HINT} Arrows move, Enter keeps, Space leaves out.`);
        this.canvas.style.cssText =
            "flex:1 1 0;min-height:0;width:100%;background:#1b1b1b;border-radius:4px;cursor:crosshair;touch-action:none;";
        const style = "flex:none;font:11px/14px sans-serif;height:28px;overflow:hidden;user-select:none;";
        this.status = document.createElement("div");
        this.status.setAttribute("role", "status");
        this.status.style.cssText = `${style}color:#eee;`;
        const hint = document.createElement("div");
        hint.style.cssText = `${style}color:#999;`;
        hint.textContent = HINT;
        this.root.append(this.canvas, this.status, hint);
    }

    // The graph --------------------------------------------------------------------------------------------------

    /** Follow changes of photo, model, candidates and points, whoever made them. */
    look() {
        if (!this.node.graph || document.hidden) return;
        this.shown ??= lastRunOf(this.node, this.app.nodeOutputs);
        const person = originOf(this.node, "person"), segmenter = originOf(this.node, "segmenter");
        const { image, content } = sourceOf(person, this.shown);
        const now = {
            image: JSON.stringify(image),
            photo: content ?? JSON.stringify(image),
            linked: Boolean(person),
            model: segmenter ? widgetValue(segmenter.node, "model") ?? "" : null, // "" where it is out of sight
            candidates: widgetValue(this.node, "candidates"),
            points: widgetValue(this.node, "points"),
        };
        const moved = Object.keys(now).filter((name) => now[name] !== this.seen[name]);
        if (!moved.length) return;
        this.seen = now;
        if (moved.includes("points")) this.read(now.points);
        // Each run gives the photo a new name: one that is there already stays.
        if (moved.includes("photo") || (moved.includes("image") && !this.photo)) this.load(image);
        else if (["model", "candidates", "points"].some((name) => moved.includes(name)) || !this.mask) this.refresh();
        else this.draw();
    }

    read(text) {
        const { marks, error } = parseMarks(text);
        const kept = memory.recall(text);
        this.marks = kept ? new Marks(marks, kept.order) : marks;
        this.error = error;
        this.owner = kept?.owner ?? null;
        this.told = "";
    }

    async load(image) {
        this.request++; // no answer about the photo before counts any more
        this.stopAsking?.();
        this.photo = this.mask = null;
        this.told = "";
        this.draw();
        if (!image) return;
        const wanted = this.seen.image;
        const photo = await loadPhoto(image, (path) => this.api.apiURL(path));
        if (wanted !== this.seen.image || this.removed) return;
        this.photo = photo;
        if (photo) this.refresh();
        else this.say("The photo cannot be shown: choose it again in LoadImage, or run again.");
    }

    /** Take what a run gives the node: the photo to mark, and the scores. */
    showRun(output) {
        if (output?.igr_photo?.length) this.shown = output.igr_photo[0];
        if (output?.text?.length) this.say([].concat(output.text).join(" "));
    }

    // Marks ------------------------------------------------------------------------------------------------------

    /** Whether the marks were set on another photo, of whatever size. */
    get swapped() {
        return Boolean(!this.marks.isEmpty && this.photo && this.owner !== null && this.owner !== this.seen.photo);
    }

    /** Whether the marks were set on a photo of another size. */
    get foreign() {
        return Boolean(this.photo && this.marks.isForeignTo(this.photo.naturalWidth, this.photo.naturalHeight));
    }

    /** Put the marks into the widget, where the workflow keeps them, as one step of the graph's undo. */
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
        this.told = "";
        this.refresh();
    }

    add(kind, value) {
        if (this.error || this.foreign) return this.draw(); // which says so
        if (kind !== "box" && this.marks.isFull) {
            return this.say(`There are ${MAX_POINTS} points already: take some back with Z or Del.`);
        }
        this.marks.add(kind, value);
        this.write();
    }

    undo() {
        if (this.foreign) return this.draw(); // as what is left would count as set on this photo
        if (this.marks.undo()) this.write();
    }

    clear() {
        this.marks = new Marks();
        this.write();
    }

    /** Take away the point nearest to a place of the photo; without one, the last mark. */
    removeNearest(place) {
        if (this.foreign) return this.draw();
        if (place && this.marks.removeNearest(place)) this.write();
        else this.undo();
    }

    // Mask -------------------------------------------------------------------------------------------------------

    /** Have the mask follow the marks: one question at a time, and after it the newest one. */
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
                : "The editor does not see which segmenter is connected: the mask comes with a Run.");
        }
        if (!this.mask) this.say("Reading the photo…");
        this.draw();
        if (this.asking) return;
        this.asking = true;
        try {
            await this.ask(turn);
        } finally {
            this.asking = false;
        }
        if (turn !== this.request && !this.removed) this.refresh();
    }

    async ask(turn) {
        const { model, image, candidates } = this.seen;
        const stop = new AbortController();
        this.stopAsking = () => stop.abort();
        const question = { model, image: JSON.parse(image), points: this.marks, candidates: candidates ?? "best" };
        const { mask, scores, error, status } = await askForMask(this.api, question, stop);
        if (turn !== this.request) return;
        if (mask) {
            this.mask = mask;
            return this.say(scores);
        }
        if (status === BUSY) setTimeout(() => turn === this.request && this.refresh(), RETRY);
        else if (status) this.mask = null;
        this.say(error);
    }

    // What is shown ----------------------------------------------------------------------------------------------

    place() {
        return placeOf(this.canvas, this.photo);
    }

    pixelAt(event, nearest = false) {
        return pixelAt(this.canvas, this.photo, event, nearest);
    }

    /** Show a sentence under the photo. */
    say(sentence) {
        this.told = sentence;
        this.draw();
    }

    draw() {
        this.status.textContent = this.sentence();
        const { photo, mask, marks } = this;
        const { box, cursor } = this.hands;
        draw(this.canvas, { photo, mask, marks, box: box ?? marks.box, cursor });
    }

    sentence() {
        if (this.error) return this.error;
        if (this.foreign) {
            const { naturalWidth: width, naturalHeight: height } = this.photo;
            const was = this.marks.size.join("×");
            return `These marks belong to a photo of ${was}, this one is ${width}×${height}: C clears them.`;
        }
        const told = [this.swapped && SWAPPED, this.told].filter(Boolean).join(" ");
        if (told || this.photo) return told;
        if (this.seen.linked === false) return "Connect a photo to person.";
        return this.seen.image === "null" ? "Run once to see the photo: its file is not known here." : "";
    }
}
