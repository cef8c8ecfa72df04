// Pointers hit the photo's pixels at every zoom.
import assert from "node:assert/strict";
import { test } from "node:test";

import { pixelAt, placeOf } from "../../web/js/canvas.js";

const photo = { naturalWidth: 60, naturalHeight: 80 };

/** A canvas of 300×320 in its layout, whose corner is at (10, 20) on the screen. */
function canvasAt(zoom) {
    return {
        clientWidth: 300, clientHeight: 320,
        getBoundingClientRect: () => ({ left: 10, top: 20, width: 300 * zoom }),
    };
}

/** Where the middle of a pixel is on the screen. */
function pointerOn(canvas, zoom, [x, y]) {
    const { left, top, scale } = placeOf(canvas, photo);
    return { clientX: 10 + zoom * (left + (x + 0.5) * scale), clientY: 20 + zoom * (top + (y + 0.5) * scale) };
}

test("the photo is as large as it can be and in the middle", () => {
    assert.deepEqual(placeOf(canvasAt(1), photo), { left: 30, top: 0, scale: 4 });
    assert.deepEqual(placeOf(canvasAt(1), { naturalWidth: 600, naturalHeight: 64 }), { left: 0, top: 144, scale: 0.5 });
});

for (const zoom of [0.5, 1, 2.5]) {
    test(`pixels are found at zoom ${zoom}`, () => {
        const canvas = canvasAt(zoom);
        for (const pixel of [[0, 0], [59, 79], [12, 34], [12.5, 34.2]]) {
            assert.deepEqual(pixelAt(canvas, photo, pointerOn(canvas, zoom, pixel)), pixel);
        }
    });
}

test("outside of the photo there is no pixel, or the nearest where that is asked for", () => {
    const canvas = canvasAt(1);
    for (const [outside, nearest] of [[[-2, 5], [0, 5]], [[61, 5], [59, 5]], [[5, -3], [5, 0]], [[70, 90], [59, 79]]]) {
        const pointer = pointerOn(canvas, 1, outside);
        assert.equal(pixelAt(canvas, photo, pointer), null);
        assert.deepEqual(pixelAt(canvas, photo, pointer, true), nearest);
    }
});

test("the rim of the outermost pixels belongs to the photo", () => {
    const canvas = canvasAt(1);
    assert.deepEqual(pixelAt(canvas, photo, pointerOn(canvas, 1, [-0.4, 79.4])), [0, 79]);
});
