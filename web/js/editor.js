// Garment Segment's editor: the photo in the node, points and a box on it, and the mask that they give.
// The marks are the node's `points` widget and nothing else, so the workflow carries them and runs without this file.
// One file of over 400 lines, as the host loads each file below web/ as an extension of its own, whatever it holds.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

const NODE = "IGRGarmentSegment";
const MAX_POINTS = 50;
const HEIGHT = 340;
const DRAG = 5; // screen pixels that make a box of a click
const STEP = 4; // screen pixels of an arrow key
const LOOK = 300; // milliseconds between looks at the graph: source, model, points set from elsewhere
const RETRY = 1000;
const PATIENCE = 180_000; // milliseconds for an answer: a large SAM 2 on a CPU may take a minute
const LONG_PRESS = 500; // milliseconds that make "not this" of a touch
const GLANCE = 512; // longest side at which a photo is looked through for transparency
const ORDERS = new Map(); // marks' text -> order that they were set in, for editors that a graph's undo makes anew
const MAX_ORDERS = 200;
const KEEP = "#3ddc84", LEAVE = "#ff5252", BOX = "#ffd740", MASK = "rgba(64, 196, 255, 0.5)";
const HINT =
    "Click: keep. Right click, Shift+click, long press: not this. Drag: box. Z undo, C clear, Del takes the nearest.";
const SWAPPED = "The photo has changed, the marks have not: C clears them.";

const round = (value) => Math.round(value * 10) / 10;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The marks in a widget's text, by the rules of igr_core/clicks.py; what cannot be read is told, not overwritten. */
function parseMarks(text) {
    const empty = { positive: [], negative: [], box: null, size: null };
    if (!text?.trim()) return { marks: empty, error: null };
    try {
        const data = JSON.parse(text);
        const sound = (value) => Number.isFinite(value) && Math.abs(value) < 1e9;
        const numbers = (given, count) => Array.isArray(given) && given.length === count && given.every(sound);
        const points = (given) => Array.isArray(given) && given.every((point) => numbers(point, 2));
        if (typeof data !== "object" || data === null || Array.isArray(data)) throw new Error();
        if (Object.keys(data).some((name) => !Object.hasOwn(empty, name))) throw new Error();
        const marks = { ...empty, ...data };
        if (!points(marks.positive) || !points(marks.negative)) throw new Error();
        if (marks.box !== null && !numbers(marks.box, 4)) throw new Error();
        if (marks.size !== null && !numbers(marks.size, 2)) throw new Error();
        marks.size &&= marks.size.map(Math.round);
        return { marks, error: null };
    } catch {
        return { marks: empty, error: "The text in points cannot be read: C clears it." };
    }
}

/**
 * The node that feeds an input, through Reroute nodes, and the output that it comes from; null without a link. The node
 * is null where it is not seen, as from inside a subgraph.
 */
function originOf(node, name) {
    for (let depth = 0; depth < 20; depth++) {
        const slot = node.inputs?.findIndex((input) => name === null || input.name === name) ?? -1;
        const link = slot < 0 ? null : node.getInputLink(slot);
        if (!link) return null;
        const origin = node.graph?.getNodeById(link.origin_id) ?? null;
        if (origin?.type !== "Reroute") return { node: origin, slot: link.origin_slot };
        node = origin;
        name = null;
    }
    return null;
}

const valueOf = (node, name) => node?.widgets?.find((widget) => widget.name === name)?.value;

/** LoadImage's words for a file, `folder/name.png [output]`, as /view takes them; null for what names no file. */
function fileOf(words, kind) {
    const found = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(words);
    if (!words || words.startsWith("blake3:")) return null;
    const path = found[1].split("/");
    return { filename: path.pop(), subfolder: path.join("/"), type: found[2] ?? kind };
}

/** A picture of the host's as HTMLImageElement, or null where it cannot be shown. */
function picture(address) {
    return new Promise((resolve) => {
        const found = new Image();
        found.onload = () => resolve(found);
        found.onerror = () => resolve(null);
        found.src = api.apiURL(address);
    });
}

/** A photo as the segmenter sees it: without transparency. */
async function photoOf(image) {
    if (image.type === "example") return picture(`/igr/example/${encodeURIComponent(image.filename)}`);
    const address = `/view?${new URLSearchParams({ ...image, rand: Math.random() })}`;
    const photo = await picture(address);
    if (!photo || !hasHoles(photo)) return photo;
    // The host makes this one anew and forgets how EXIF turns it, so that it is asked for only where it is needed.
    const whole = await picture(`${address}&channel=rgb`);
    const same = whole?.naturalWidth === photo.naturalWidth && whole.naturalHeight === photo.naturalHeight;
    return same ? whole : photo;
}

function hasHoles(photo) {
    const scale = Math.min(1, GLANCE / Math.max(photo.naturalWidth, photo.naturalHeight));
    const sides = [photo.naturalWidth, photo.naturalHeight];
    const [width, height] = sides.map((side) => Math.max(1, Math.round(side * scale)));
    const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    pen.drawImage(photo, 0, 0, width, height);
    return pen.getImageData(0, 0, width, height).data.some((value, place) => place % 4 === 3 && value < 250);
}

/** What the last run gave the editor of a node, from where the frontend keeps it while the graph is made anew. */
function remembered(node) {
    const name = node.graph.isRootGraph === false ? `${node.graph.id}:${node.id}` : node.id;
    return app.nodeOutputs?.[name]?.igr_photo?.[0] ?? null;
}

class Editor {
    constructor(node) {
        this.node = node;
        this.shown = null; // the photo of the last run, for sources that name no file
        this.photo = null; // HTMLImageElement, once it is there
        this.mask = null;
        this.marks = parseMarks("").marks;
        this.error = null; // why the widget's text is no marks
        this.order = []; // kinds of marks in the order that they were set, for undo
        this.owner = null; // which photo the marks were set on, or first seen with
        this.cursor = null; // the keyboard's place on the photo
        this.drag = null;
        this.request = 0;
        this.asking = false;
        this.removed = false;
        this.told = ""; // about the last answer
        this.seen = {};
        this.build();
    }

    /** Begin to look at the graph; a node that is only made to be copied never comes into one. */
    start() {
        this.removed = false;
        clearInterval(this.timer);
        this.timer = setInterval(() => this.look(), LOOK);
        this.observer.observe(this.canvas);
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
        const on = (name, handler) => this.canvas.addEventListener(name, handler.bind(this));
        on("pointerdown", this.press);
        on("pointermove", this.move);
        on("pointerup", this.release);
        on("pointercancel", () => { this.drag = null; this.draw(); });
        on("keydown", this.key);
        on("contextmenu", (event) => { event.preventDefault(); event.stopPropagation(); });
        on("focus", this.draw);
        on("blur", () => { this.cursor = null; this.draw(); });
        on("wheel", (event) => app.canvas?.processMouseWheel?.(event));
        this.observer = new ResizeObserver(() => this.draw());
    }

    remove() {
        clearInterval(this.timer);
        this.observer.disconnect();
        this.removed = true;
        this.request++;
        this.stopAsking?.();
    }

    // What the graph says ----------------------------------------------------------------------------------------

    /**
     * The photo as the route names it, and what tells it from others where its name does not; the image is null where
     * the graph names no file and nothing has run.
     */
    source(origin) {
        const kind = origin?.node?.comfyClass ?? origin?.node?.type;
        const value = (name) => valueOf(origin.node, name);
        let image = null;
        if (origin?.slot === 0) {
            if (kind === "LoadImage") image = fileOf(value("image"), "input");
            if (kind === "LoadImageOutput") image = fileOf(value("image"), "output");
            if (kind === "IGRExamplePerson") image = { filename: value("garment"), subfolder: "", type: "example" };
        }
        if (image || !origin || !this.shown) return { image };
        const { content, ...file } = this.shown;
        return { image: file, content };
    }

    /** Follow changes of photo, model, candidates and points, whoever made them. */
    look() {
        if (!this.node.graph || document.hidden) return;
        this.shown ??= remembered(this.node);
        const person = originOf(this.node, "person"), segmenter = originOf(this.node, "segmenter");
        const { image, content } = this.source(person);
        const now = {
            image: JSON.stringify(image),
            photo: content ?? JSON.stringify(image),
            linked: Boolean(person),
            model: segmenter ? valueOf(segmenter.node, "model") ?? "" : null, // "" where it is not seen
            candidates: valueOf(this.node, "candidates"),
            points: valueOf(this.node, "points"),
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
        this.marks = marks;
        this.error = error;
        const kept = ORDERS.get(text);
        this.owner = kept?.owner ?? null;
        this.order = [...marks.positive.map(() => "positive"), ...marks.negative.map(() => "negative")];
        if (marks.box) this.order.push("box");
        if (kept) this.order = [...kept.order];
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
        const photo = await photoOf(image);
        if (wanted !== this.seen.image || this.removed) return;
        this.photo = photo;
        if (photo) this.refresh();
        else this.say("The photo cannot be shown: choose it again in LoadImage, or run again.");
    }

    /** Whether the marks were set on another photo, of whatever size. */
    get swapped() {
        return Boolean(this.order.length && this.photo && this.owner !== null && this.owner !== this.seen.photo);
    }

    /** Whether the marks were set on a photo of another size. */
    get strange() {
        const size = this.marks.size;
        return Boolean(this.order.length && this.photo && size
            && (size[0] !== this.photo.naturalWidth || size[1] !== this.photo.naturalHeight));
    }

    ran(output) {
        if (output?.igr_photo?.length) this.shown = output.igr_photo[0];
        if (output?.text?.length) this.say([].concat(output.text).join(" "));
    }

    // Marks ------------------------------------------------------------------------------------------------------

    /** Put the marks into the widget, where the workflow keeps them, as one step of the graph's undo. */
    write() {
        const { positive, negative, box } = this.marks;
        const size = this.photo ? [this.photo.naturalWidth, this.photo.naturalHeight] : this.marks.size;
        this.marks.size = size;
        const widget = this.node.widgets.find((one) => one.name === "points");
        const text = this.order.length ? JSON.stringify({ positive, negative, box, size }) : "";
        this.seen.points = text;
        ORDERS.delete(text);
        this.owner = this.photo ? this.seen.photo : null;
        ORDERS.set(text, { order: [...this.order], owner: this.owner });
        if (ORDERS.size > MAX_ORDERS) ORDERS.delete(ORDERS.keys().next().value);
        app.canvas?.emitBeforeChange?.();
        try {
            widget.value = text;
            widget.callback?.(text);
            this.node.graph?.change?.();
        } finally {
            app.canvas?.emitAfterChange?.();
        }
        this.error = null;
        this.told = "";
        this.refresh();
    }

    add(kind, value) {
        if (this.error || this.strange) return this.draw(); // which says so
        const { positive, negative } = this.marks;
        if (kind !== "box" && positive.length + negative.length >= MAX_POINTS) {
            return this.say(`There are ${MAX_POINTS} points already: take some back with Z or Del.`);
        }
        if (kind === "box") {
            this.order = this.order.filter((one) => one !== "box");
            this.marks.box = value;
        } else this.marks[kind].push(value);
        this.order.push(kind);
        this.write();
    }

    undo() {
        if (this.strange) return this.draw(); // as what is left would count as set on this photo
        const kind = this.order.pop();
        if (kind === "box") this.marks.box = null;
        else if (kind) this.marks[kind].pop();
        if (kind) this.write();
    }

    clear() {
        this.marks = parseMarks("").marks;
        this.order = [];
        this.write();
    }

    /** Take away the point that is nearest to the pointer or the keyboard's place. */
    takeNearest() {
        if (this.strange) return this.draw();
        const at = this.cursor ?? this.pointer;
        if (!at) return this.undo();
        const all = ["positive", "negative"].flatMap((kind) =>
            this.marks[kind].map((point, index) => ({ kind, index, far: Math.hypot(point[0] - at[0], point[1] - at[1]) })));
        all.sort((one, other) => one.far - other.far);
        if (!all.length) return this.undo();
        const [{ kind, index }] = all;
        this.marks[kind].splice(index, 1);
        const places = this.order.map((one, place) => (one === kind ? place : -1)).filter((place) => place >= 0);
        this.order.splice(places[index], 1);
        this.write();
    }

    // Hands ------------------------------------------------------------------------------------------------------

    /** Where the photo lies in the canvas: left, top and scale, in pixels of the canvas element's layout. */
    place() {
        const { clientWidth: width, clientHeight: height } = this.canvas;
        const { naturalWidth: across, naturalHeight: down } = this.photo;
        const scale = Math.min(width / across, height / down);
        return { left: (width - across * scale) / 2, top: (height - down * scale) / 2, scale };
    }

    /** The photo's pixel under a pointer; outside of the photo it is null, or the nearest where `near`. */
    at(event, near = false) {
        const seen = this.canvas.getBoundingClientRect(); // scaled by the graph's zoom
        const { left, top, scale } = this.place();
        const zoom = seen.width / this.canvas.clientWidth;
        const x = ((event.clientX - seen.left) / zoom - left) / scale - 0.5;
        const y = ((event.clientY - seen.top) / zoom - top) / scale - 0.5;
        const right = this.photo.naturalWidth - 1, bottom = this.photo.naturalHeight - 1;
        if (!near && (x < -0.5 || y < -0.5 || x > right + 0.5 || y > bottom + 0.5)) return null;
        return [round(clamp(x, 0, right)), round(clamp(y, 0, bottom))];
    }

    press(event) {
        if (event.button === 1 || !event.isPrimary) return; // a second finger marks nothing
        event.preventDefault();
        event.stopPropagation();
        this.canvas.focus({ preventScroll: true });
        this.cursor = null;
        const start = this.photo && this.at(event);
        if (!start) return this.photo && this.say("That is outside the photo.");
        this.canvas.setPointerCapture(event.pointerId);
        const leave = event.button === 2 || event.shiftKey || event.ctrlKey; // Ctrl+click is macOS's right click
        const { clientX: x, clientY: y, timeStamp: since } = event;
        this.drag = { start, end: start, x, y, since, leave, far: false };
    }

    move(event) {
        if (!this.photo || !event.isPrimary) return;
        this.pointer = this.at(event);
        if (!this.drag) return;
        event.stopPropagation();
        this.drag.end = this.at(event, true);
        this.drag.far ||= Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y) > DRAG;
        this.draw();
    }

    release(event) {
        if (!event.isPrimary) return;
        const drag = this.drag;
        this.drag = null;
        if (!drag) return;
        event.stopPropagation();
        const [left, right] = [drag.start[0], drag.end[0]].sort((a, b) => a - b);
        const [top, bottom] = [drag.start[1], drag.end[1]].sort((a, b) => a - b);
        const held = !drag.far && event.pointerType === "touch" && event.timeStamp - drag.since > LONG_PRESS;
        if (drag.leave || held) this.add("negative", drag.start);
        else if (!drag.far) this.add("positive", drag.start);
        else if (right - left >= 1 && bottom - top >= 1) this.add("box", [left, top, right, bottom]);
        else this.draw();
    }

    key(event) {
        const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        const key = event.key.toLowerCase();
        const plain = !event.altKey && !event.metaKey && !event.ctrlKey;
        if (key === "z" && plain && !event.shiftKey) this.undo(); // with Ctrl it is the graph's
        else if (key === "c" && plain) this.clear();
        else if (key === "delete" || key === "backspace") this.takeNearest();
        else if (step && this.photo) this.walk(step, event.shiftKey ? 5 : 1);
        else if ((key === "enter" || key === " ") && plain && this.cursor) {
            this.add(key === "enter" ? "positive" : "negative", [...this.cursor]);
        } else return;
        event.preventDefault();
        event.stopPropagation(); // else the graph would delete the node
    }

    walk([across, down], times) {
        const { naturalWidth: width, naturalHeight: height } = this.photo;
        const pixels = (STEP * times) / this.place().scale;
        const [x, y] = this.cursor ?? [width / 2, height / 2];
        this.cursor = [
            round(clamp(x + across * pixels, 0, width - 1)), round(clamp(y + down * pixels, 0, height - 1)),
        ];
        this.draw();
    }

    // Mask -------------------------------------------------------------------------------------------------------

    /** Have the mask follow the marks: one question at a time, and after it the newest one. */
    async refresh() {
        const turn = ++this.request;
        if (this.photo) this.owner ??= this.seen.photo;
        const { positive, box } = this.marks;
        if (!this.photo || this.strange || (!positive.length && !box)) {
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
        const body = JSON.stringify({
            model: this.seen.model, image: JSON.parse(this.seen.image), points: this.marks,
            candidates: this.seen.candidates ?? "best",
        });
        const stop = new AbortController();
        this.stopAsking = () => stop.abort();
        const patience = setTimeout(this.stopAsking, PATIENCE);
        let answer, given;
        try {
            const headers = { "Content-Type": "application/json" };
            answer = await api.fetchApi("/igr/segment", { method: "POST", headers, body, signal: stop.signal });
            given = answer.ok ? await createImageBitmap(await answer.blob()) : await answer.json().catch(() => null);
        } catch {
            return turn === this.request && this.say("ComfyUI does not answer.");
        } finally {
            clearTimeout(patience);
        }
        if (turn !== this.request) return;
        if (!answer.ok) {
            if (answer.status === 429) setTimeout(() => turn === this.request && this.refresh(), RETRY);
            else this.mask = null;
            return this.say(given?.error ?? "ComfyUI cannot make the mask.");
        }
        this.mask = given;
        this.say(answer.headers.get("X-IGR-Scores") ?? "");
    }

    strangeness() {
        const { size } = this.marks, { naturalWidth: width, naturalHeight: height } = this.photo;
        return `These marks belong to a photo of ${size[0]}×${size[1]}, this one is ${width}×${height}: C clears them.`;
    }

    /** Show a sentence under the photo. */
    say(sentence) {
        this.told = sentence;
        this.draw();
    }

    draw() {
        const { canvas } = this, ratio = window.devicePixelRatio || 1;
        const width = canvas.clientWidth, height = canvas.clientHeight;
        let told = [this.swapped && SWAPPED, this.told].filter(Boolean).join(" ");
        if (this.error || this.strange) told = this.error ?? this.strangeness();
        if (!this.photo && !told) {
            if (this.seen.linked === false) told = "Connect a photo to person.";
            else if (this.seen.image === "null") told = "Run once to see the photo: its file is not known here.";
        }
        this.status.textContent = told;
        if (!width || !height) return;
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
        const pen = canvas.getContext("2d");
        pen.scale(ratio, ratio);
        if (!this.photo) return;
        const { left, top, scale } = this.place();
        const across = this.photo.naturalWidth * scale, down = this.photo.naturalHeight * scale;
        pen.drawImage(this.photo, left, top, across, down);
        if (this.mask) pen.drawImage(this.tinted(), left, top, across, down);
        const onCanvas = ([x, y]) => [left + (x + 0.5) * scale, top + (y + 0.5) * scale];
        const box = this.drag?.far && !this.drag.leave ? [...this.drag.start, ...this.drag.end] : this.marks.box;
        if (box) {
            const [x, y] = onCanvas(box), [right, bottom] = onCanvas(box.slice(2));
            pen.strokeStyle = BOX;
            pen.lineWidth = 2;
            pen.strokeRect(x, y, right - x, bottom - y);
        }
        for (const point of this.marks.positive) this.dot(pen, onCanvas(point), KEEP, "+");
        for (const point of this.marks.negative) this.dot(pen, onCanvas(point), LEAVE, "−");
        if (this.cursor) {
            const [x, y] = onCanvas(this.cursor);
            pen.strokeStyle = "#fff";
            pen.lineWidth = 1.5;
            pen.strokeRect(x - 7, y - 7, 14, 14);
        }
    }

    dot(pen, [x, y], colour, sign) {
        pen.beginPath();
        pen.arc(x, y, 6, 0, 2 * Math.PI);
        pen.fillStyle = colour;
        pen.fill();
        pen.lineWidth = 1.5;
        pen.strokeStyle = "#000";
        pen.stroke();
        pen.fillStyle = "#000";
        pen.font = "bold 11px sans-serif";
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        pen.fillText(sign, x, y + 0.5);
    }

    tinted() {
        const sheet = new OffscreenCanvas(this.mask.width, this.mask.height);
        const pen = sheet.getContext("2d");
        pen.drawImage(this.mask, 0, 0);
        pen.globalCompositeOperation = "source-in";
        pen.fillStyle = MASK;
        pen.fillRect(0, 0, sheet.width, sheet.height);
        return sheet;
    }
}

/** Take a widget out of sight, in the classic and in the newer design; its value stays in the workflow. */
function hide(widget) {
    widget.hidden = true;
    widget.options = { ...widget.options, hidden: true };
    widget.computeSize = () => [0, -4];
    if (widget.element) widget.element.style.display = "none";
}

app.registerExtension({
    name: "igr.segment",
    nodeCreated(node) {
        if ((node.comfyClass ?? node.type) !== NODE) return;
        const points = node.widgets?.find((widget) => widget.name === "points");
        if (!points) return;
        hide(points);
        const editor = new Editor(node);
        const widget = node.addDOMWidget("editor", "igr_editor", editor.root, {
            serialize: false,
            hideOnZoom: false,
            getMinHeight: () => HEIGHT,
        });
        widget.serialize = false;
        // The frontend's side panel writes its own width here, which would then be the width in the node, too.
        Object.defineProperty(widget, "width", { get: () => undefined, set: () => {}, configurable: true });
        node.igrEditor = editor;
        const { onAdded, onExecuted, onRemoved } = node;
        node.onAdded = function () {
            onAdded?.apply(this, arguments);
            editor.start();
        };
        node.onExecuted = function (output) {
            onExecuted?.apply(this, arguments);
            editor.ran(output);
        };
        node.onRemoved = function () {
            onRemoved?.apply(this, arguments);
            editor.remove();
        };
        const [width, height] = node.computeSize();
        node.setSize([Math.max(width, 360), Math.max(height, 520)]);
    },
});
