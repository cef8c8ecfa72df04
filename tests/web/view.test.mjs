// The photo is zoomed at the pointer and can always be brought back.
import assert from "node:assert/strict";
import { test } from "node:test";

import { pixelAt, placeOf } from "../../web/js/canvas.js";
import { View } from "../../web/js/view.js";

const photo = { naturalWidth: 60, naturalHeight: 80 };
const canvas = {
    clientWidth: 300, clientHeight: 320, getBoundingClientRect: () => ({ left: 0, top: 0, width: 300 }),
};

test("the place under the pointer stays where it is", () => {
    const view = new View();
    const pointer = { clientX: 200, clientY: 90 }, before = pixelAt(canvas, photo, pointer, false, view);
    for (const steps of [3, 2, -4]) {
        view.step(steps, [200 - 150, 90 - 160]);
        assert.deepEqual(pixelAt(canvas, photo, pointer, false, view), before);
    }
    assert.ok(view.zoom > 1);
});

test("zooming out ends at the whole photo, in the middle", () => {
    const view = new View();
    view.step(5, [40, -90]);
    assert.ok(view.isZoomed);
    view.step(-9, [-70, 20]);
    assert.ok(!view.isZoomed);
    assert.deepEqual(placeOf(canvas, photo, view), placeOf(canvas, photo));
});

test("a zoomed photo cannot be moved out of sight", () => {
    const view = new View();
    view.step(4);
    view.pan(9000, -9000, [300, 320]);
    assert.deepEqual([view.x, view.y], [150 * view.zoom, -160 * view.zoom]);
});
