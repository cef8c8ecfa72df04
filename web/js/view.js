// Zoom and position of the photo in the editor. Uses neither the DOM nor ComfyUI, so that `node --test` can run it.

import { clamp } from "./marks.js";

const FARTHEST = 16; // largest zoom
const STEP = 1.25;

/** The part of the photo that the editor shows: all of it at zoom 1. */
export class View {
    constructor() {
        this.fit();
    }

    fit() {
        this.zoom = 1;
        this.x = this.y = 0; // from the centred position, in layout pixels of the canvas
    }

    get isZoomed() {
        return this.zoom > 1;
    }

    /** Zoom in (steps > 0) or out, keeping the position (x, y), measured from the canvas's centre, fixed. */
    step(steps, [x, y] = [0, 0]) {
        const before = this.zoom;
        this.zoom = clamp(before * STEP ** steps, 1, FARTHEST);
        const ratio = this.zoom / before;
        this.x = x - (x - this.x) * ratio;
        this.y = y - (y - this.y) * ratio;
        if (!this.isZoomed) this.fit();
    }

    /** Move the photo, at most until its edge is in the middle of a canvas of this size. */
    pan(across, down, [width, height]) {
        this.x = clamp(this.x + across, -width * this.zoom / 2, width * this.zoom / 2);
        this.y = clamp(this.y + down, -height * this.zoom / 2, height * this.zoom / 2);
    }
}
