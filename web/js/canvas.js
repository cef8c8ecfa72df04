// Draws the photo, mask and marks on the editor's canvas, and finds the photo's pixel under the pointer.

import { clamp, round } from "./marks.js";

const KEEP = "#3ddc84", LEAVE_OUT = "#ff5252", BOX = "#ffd740", CURSOR = "#fff", MASK = "rgba(64, 196, 255, 0.5)";

const WHOLE = { zoom: 1, x: 0, y: 0 };

/** Position of the photo in the canvas: left, top and scale, in layout pixels of the canvas element. */
export function placeOf(canvas, photo, view = WHOLE) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const { naturalWidth: across, naturalHeight: down } = photo;
    const scale = Math.min(width / across, height / down) * view.zoom;
    return { left: (width - across * scale) / 2 + view.x, top: (height - down * scale) / 2 + view.y, scale };
}

/** The photo's pixel under the pointer; outside the photo, null or, with `nearest`, the nearest pixel. */
export function pixelAt(canvas, photo, { clientX, clientY }, nearest = false, view = WHOLE) {
    const seen = canvas.getBoundingClientRect(); // includes the graph's zoom
    const { left, top, scale } = placeOf(canvas, photo, view);
    const zoom = seen.width / canvas.clientWidth;
    const x = ((clientX - seen.left) / zoom - left) / scale - 0.5;
    const y = ((clientY - seen.top) / zoom - top) / scale - 0.5;
    const right = photo.naturalWidth - 1, bottom = photo.naturalHeight - 1;
    if (!nearest && (x < -0.5 || y < -0.5 || x > right + 0.5 || y > bottom + 0.5)) return null;
    return [round(clamp(x, 0, right)), round(clamp(y, 0, bottom))];
}

/**
 * Draw the photo with mask and marks; `box` replaces the box of the marks, `mask` is the segmenter's mask with the
 * strokes, and `brush` is {place, radius} of the brush under the pointer.
 */
export function draw(canvas, { photo, mask, marks, box, cursor, view, brush }) {
    const { clientWidth: width, clientHeight: height } = canvas, ratio = window.devicePixelRatio || 1;
    if (!width || !height) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    if (!photo) return;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const { left, top, scale } = placeOf(canvas, photo, view);
    const area = [left, top, photo.naturalWidth * scale, photo.naturalHeight * scale];
    pen.drawImage(photo, ...area);
    if (mask) pen.drawImage(tinted(mask), ...area);
    const onCanvas = ([x, y]) => [left + (x + 0.5) * scale, top + (y + 0.5) * scale];
    if (box) drawBox(pen, onCanvas(box), onCanvas(box.slice(2)));
    for (const point of marks.positive) drawPoint(pen, onCanvas(point), KEEP, "+");
    for (const point of marks.negative) drawPoint(pen, onCanvas(point), LEAVE_OUT, "−");
    if (cursor) drawCursor(pen, onCanvas(cursor));
    if (brush) drawBrush(pen, onCanvas(brush.place), brush.radius * scale);
}

function drawBrush(pen, [x, y], radius) {
    for (const [colour, width] of [["#000", 3], [CURSOR, 1]]) {
        pen.beginPath();
        pen.arc(x, y, radius, 0, 2 * Math.PI);
        pen.strokeStyle = colour;
        pen.lineWidth = width;
        pen.stroke();
    }
}

function drawBox(pen, [left, top], [right, bottom]) {
    pen.strokeStyle = BOX;
    pen.lineWidth = 2;
    pen.strokeRect(left, top, right - left, bottom - top);
}

function drawPoint(pen, [x, y], colour, sign) {
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

function drawCursor(pen, [x, y]) {
    pen.strokeStyle = CURSOR;
    pen.lineWidth = 1.5;
    pen.strokeRect(x - 7, y - 7, 14, 14);
}

/** The white mask, tinted with the overlay colour. */
function tinted(mask) {
    const sheet = new OffscreenCanvas(mask.width, mask.height);
    const pen = sheet.getContext("2d");
    pen.drawImage(mask, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = MASK;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    return sheet;
}
