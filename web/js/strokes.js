// Strokes of the brush and the eraser on the mask, as igr_core's strokes.py draws them.

const LONGEST = 1024; // longest side in pixels of a mask that is only painted, as for masks from the route
const STEP = 0.3; // minimum distance between a stroke's points, as a fraction of its radius

/** A stroke that begins at a position on the photo. */
export function begin(add, radius, place) {
    return { add, radius: Math.round(radius * 10) / 10, points: [place] };
}

/** Add a position to a stroke, unless it is too close to the last one. */
export function extend(stroke, [x, y]) {
    const [lastX, lastY] = stroke.points.at(-1);
    if (Math.hypot(x - lastX, y - lastY) >= stroke.radius * STEP) stroke.points.push([x, y]);
}

/**
 * The segmenter's mask, an image or null, with strokes on top: white where the mask is, transparent elsewhere. `size`
 * is the photo's width and height.
 */
export function painted(mask, strokes, [width, height]) {
    if (!strokes.length) return mask;
    const shrink = Math.min(1, LONGEST / Math.max(width, height));
    const sheet = new OffscreenCanvas(
        mask?.width ?? Math.max(1, Math.round(width * shrink)), mask?.height ?? Math.max(1, Math.round(height * shrink)),
    );
    const pen = sheet.getContext("2d");
    if (mask) pen.drawImage(mask, 0, 0);
    pen.scale(sheet.width / width, sheet.height / height);
    pen.translate(0.5, 0.5); // (0, 0) is the centre of the first pixel
    pen.strokeStyle = pen.fillStyle = "#fff";
    pen.lineCap = pen.lineJoin = "round";
    for (const { add, radius, points } of strokes) {
        pen.globalCompositeOperation = add ? "source-over" : "destination-out";
        pen.lineWidth = 2 * radius;
        pen.beginPath();
        pen.moveTo(...points[0]);
        for (const point of points.length > 1 ? points.slice(1) : points) pen.lineTo(...point);
        pen.stroke(); // a line of zero length is drawn as a dot, because its ends are round
    }
    return sheet;
}
