// The marks on a photo and their text in a workflow, with the same rules as igr_core's clicks.py.
// Uses neither the DOM nor ComfyUI, so that `node --test` can run it.

export const MAX_POINTS = 50;
export const MAX_STROKE_POINTS = 5000;
const MAX_RADIUS = 2000;
const UNREADABLE = "The text in points is not valid: press C to clear it.";
const LARGEST = 1e9;

/** A coordinate as in the text: rounded to a tenth of a pixel. */
export const round = (value) => Math.round(value * 10) / 10;
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const isNumber = (value) => Number.isFinite(value) && Math.abs(value) < LARGEST;
const areNumbers = (given, count) => Array.isArray(given) && given.length === count && given.every(isNumber);
const arePoints = (given) => Array.isArray(given) && given.every((point) => areNumbers(point, 2));
const isStroke = (given) => typeof given === "object" && given !== null && Object.keys(given).length === 3
    && typeof given.add === "boolean" && isNumber(given.radius) && given.radius > 0 && given.radius <= MAX_RADIUS
    && arePoints(given.points) && given.points.length > 0;
const areStrokes = (given) =>
    Array.isArray(given) && given.every(isStroke) && lengthOf(given) <= MAX_STROKE_POINTS;
const lengthOf = (strokes) => strokes.reduce((sum, stroke) => sum + stroke.points.length, 0);

/** Points on and off the garment, a box, strokes, the size of the photo, and the order in which they were set. */
export class Marks {
    constructor({ positive = [], negative = [], box = null, size = null, strokes = [] } = {}, order = null) {
        this.positive = positive;
        this.negative = negative;
        this.box = box;
        this.size = size;
        this.strokes = strokes;
        this.order = order ? [...order] : [
            ...positive.map(() => "positive"), ...negative.map(() => "negative"), ...(box ? ["box"] : []),
            ...strokes.map(() => "stroke"),
        ];
    }

    get isEmpty() {
        return !this.order.length;
    }

    /** Whether the segmenter can find a mask from the marks, for which negative points alone are not enough. */
    get asksForMask() {
        return this.positive.length > 0 || this.box !== null;
    }

    /** The marks that the segmenter uses; strokes are drawn on its mask. */
    get prompt() {
        const { positive, negative, box, size } = this;
        return { positive, negative, box, size };
    }

    get isFull() {
        return this.positive.length + this.negative.length >= MAX_POINTS;
    }

    /** Whether the maximum number of points in strokes has been reached. */
    get isPainted() {
        return lengthOf(this.strokes) >= MAX_STROKE_POINTS;
    }

    /** Whether the marks were set on a photo of a different size. */
    isForeignTo(width, height) {
        return !this.isEmpty && this.size !== null && (this.size[0] !== width || this.size[1] !== height);
    }

    /** Add a point (kind positive or negative), a stroke, or a box [left, top, right, bottom] in place of the last one. */
    add(kind, value) {
        if (kind === "box") {
            this.order = this.order.filter((one) => one !== "box");
            this.box = value;
        } else if (kind === "stroke") {
            this.strokes.push(value);
        } else {
            this[kind].push(value);
        }
        this.order.push(kind);
    }

    /** Remove the last mark; returns false if there is none. */
    undo() {
        const kind = this.order.pop();
        if (kind === "box") this.box = null;
        else if (kind === "stroke") this.strokes.pop();
        else if (kind) this[kind].pop();
        return kind !== undefined;
    }

    /** Remove the point nearest to a place; returns false if there is none. */
    removeNearest([x, y]) {
        const distance = ({ kind, index }) => Math.hypot(this[kind][index][0] - x, this[kind][index][1] - y);
        const points = ["positive", "negative"].flatMap((kind) => this[kind].map((_, index) => ({ kind, index })));
        if (!points.length) return false;
        const nearest = points.reduce((best, one) => (distance(one) < distance(best) ? one : best));
        this[nearest.kind].splice(nearest.index, 1);
        const places = this.order.flatMap((kind, place) => (kind === nearest.kind ? [place] : []));
        this.order.splice(places[nearest.index], 1);
        return true;
    }

    toJSON() {
        const { prompt, strokes } = this;
        return strokes.length ? { ...prompt, strokes } : prompt;
    }

    /** The widget's text; empty without marks. */
    toText() {
        return this.isEmpty ? "" : JSON.stringify(this);
    }
}

/** The marks in a widget's text, and the error to show if the text is invalid; invalid text is not overwritten. */
export function parseMarks(text) {
    if (!text?.trim()) return { marks: new Marks(), error: null };
    let data;
    try {
        data = JSON.parse(text);
    } catch {
        return { marks: new Marks(), error: UNREADABLE };
    }
    if (!isUnderstood(data)) return { marks: new Marks(), error: UNREADABLE };
    return { marks: new Marks({ ...data, size: data.size?.map(Math.round) ?? null }), error: null };
}

function isUnderstood(data) {
    if (typeof data !== "object" || data === null || Array.isArray(data)) return false;
    const { positive = [], negative = [], box = null, size = null, strokes = [], ...unknown } = data;
    if (Object.keys(unknown).length) return false;
    return arePoints(positive) && arePoints(negative) && areStrokes(strokes)
        && (box === null || areNumbers(box, 4)) && (size === null || areNumbers(size, 2));
}

/** Information about marks that is not in a widget's text, kept for the last texts that were written. */
export class Memory {
    constructor(limit) {
        this.limit = limit;
        this.kept = new Map();
    }

    keep(text, facts) {
        this.kept.delete(text);
        this.kept.set(text, facts);
        if (this.kept.size > this.limit) this.kept.delete(this.kept.keys().next().value);
    }

    recall(text) {
        return this.kept.get(text);
    }
}
