// Marks are read by the same rules as igr_core's clicks.py, and every one can be taken back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { MAX_POINTS, Marks, Memory, clamp, parseMarks, round } from "../../web/js/marks.js";

const cases = JSON.parse(readFileSync(new URL("points.json", import.meta.url)));

function marked(...steps) {
    const marks = new Marks();
    for (const [kind, value] of steps) marks.add(kind, value);
    return marks;
}

describe("text", () => {
    for (const { text, points, box, size } of cases.understood) {
        test(`is understood: ${JSON.stringify(text)}`, () => {
            const { marks, error } = parseMarks(text);
            assert.equal(error, null);
            assert.deepEqual([marks.positive.length, marks.negative.length], points);
            assert.deepEqual([marks.box, marks.size], [box, size]);
        });
    }

    for (const text of cases.refused) {
        test(`is refused: ${text}`, () => {
            const { marks, error } = parseMarks(text);
            assert.match(error, /is not valid: press C to clear it/);
            assert.ok(marks.isEmpty);
        });
    }

    test("of no widget at all holds no marks", () => {
        assert.deepEqual(parseMarks(undefined), { marks: new Marks(), error: null });
    });

    test("comes back as it was written", () => {
        const marks = marked(["positive", [1, 2]], ["box", [0, 0, 5, 5]], ["negative", [3, 4]]);
        marks.size = [60, 80];
        assert.deepEqual(parseMarks(marks.toText()).marks.toJSON(), marks.toJSON());
        assert.deepEqual(JSON.parse(marks.toText()), {
            positive: [[1, 2]], negative: [[3, 4]], box: [0, 0, 5, 5], size: [60, 80],
        });
    });

    test("is empty where nothing is marked", () => {
        const marks = marked(["positive", [1, 2]]);
        marks.size = [60, 80];
        marks.undo();
        assert.equal(marks.toText(), "");
    });
});

describe("undo", () => {
    test("takes marks back in the order in which they were set", () => {
        const marks = marked(["negative", [1, 1]], ["positive", [2, 2]], ["box", [0, 0, 5, 5]], ["positive", [3, 3]]);
        const left = [];
        while (marks.undo()) left.push([marks.positive.length, marks.negative.length, marks.box !== null]);
        assert.deepEqual(left, [[1, 1, true], [1, 1, false], [0, 1, false], [0, 0, false]]);
        assert.equal(marks.undo(), false);
    });

    test("of a second box leaves no box", () => {
        const marks = marked(["box", [0, 0, 5, 5]], ["positive", [1, 1]], ["box", [1, 1, 6, 6]]);
        assert.deepEqual([marks.box, marks.order], [[1, 1, 6, 6], ["positive", "box"]]);
        marks.undo();
        assert.deepEqual([marks.box, marks.positive], [null, [[1, 1]]]);
    });

    test("follows an order that is given, and else takes the box, then negative points", () => {
        const { marks } = parseMarks('{"positive": [[1, 1]], "negative": [[2, 2]], "box": [0, 0, 5, 5]}');
        assert.deepEqual(marks.order, ["positive", "negative", "box"]);
        const again = new Marks(marks, ["box", "negative", "positive"]);
        again.undo();
        assert.deepEqual([again.positive.length, again.negative.length, again.box !== null], [0, 1, true]);
    });
});

describe("the nearest point", () => {
    test("goes, of either kind, and undo still knows the rest", () => {
        const marks = marked(["positive", [0, 0]], ["negative", [50, 50]], ["positive", [90, 90]]);
        assert.equal(marks.removeNearest([52, 49]), true);
        assert.deepEqual([marks.positive.length, marks.negative.length], [2, 0]);
        assert.equal(marks.removeNearest([1, 1]), true);
        assert.deepEqual([marks.positive, marks.order], [[[90, 90]], ["positive"]]);
    });

    test("is none where there is a box alone", () => {
        const marks = marked(["box", [0, 0, 5, 5]]);
        assert.equal(marks.removeNearest([1, 1]), false);
        assert.notEqual(marks.box, null);
    });
});

test("points on what is not wanted ask for no mask", () => {
    assert.equal(marked(["negative", [1, 1]]).asksForMask, false);
    assert.equal(marked(["negative", [1, 1]], ["positive", [2, 2]]).asksForMask, true);
    assert.equal(marked(["box", [0, 0, 5, 5]]).asksForMask, true);
});

test("fifty points are all, of both kinds together", () => {
    const marks = new Marks();
    for (let number = 0; number < MAX_POINTS; number++) {
        assert.equal(marks.isFull, false);
        marks.add(number % 2 ? "positive" : "negative", [number, number]);
    }
    assert.equal(MAX_POINTS, 50);
    assert.ok(marks.isFull);
});

test("marks are foreign to a photo of another size only", () => {
    const { marks } = parseMarks('{"positive": [[1, 1]], "size": [60, 80]}');
    assert.deepEqual([marks.isForeignTo(60, 80), marks.isForeignTo(80, 60)], [false, true]);
    assert.equal(parseMarks('{"positive": [[1, 1]]}').marks.isForeignTo(80, 60), false);
    assert.equal(parseMarks('{"size": [60, 80]}').marks.isForeignTo(80, 60), false); // nothing was set on it
});

test("of what a text leaves out the newest is remembered", () => {
    const memory = new Memory(2);
    for (const text of ["first", "second", "first", "third"]) memory.keep(text, `order of ${text}`);
    assert.deepEqual(["first", "second", "third"].map((text) => memory.recall(text)),
        ["order of first", undefined, "order of third"]);
});

test("places are held to a tenth of a pixel and inside", () => {
    assert.deepEqual([round(1.26), round(2.04), clamp(-1, 0, 5), clamp(7, 0, 5), clamp(3, 0, 5)], [1.3, 2, 0, 5, 3]);
});

describe("strokes", () => {
    const stroke = { add: true, radius: 5, points: [[1, 2], [9, 9]] };

    test("are written, read and taken back like other marks", () => {
        const marks = marked(["positive", [1, 2]], ["stroke", stroke]);
        const { marks: read } = parseMarks(marks.toText());
        assert.deepEqual(read.strokes, [stroke]);
        assert.ok(read.undo());
        assert.deepEqual([read.strokes, read.positive], [[], [[1, 2]]]);
    });

    test("are not part of what the segmenter is asked", () => {
        const marks = marked(["stroke", stroke]);
        assert.ok(!marks.asksForMask && !marks.isEmpty && !("strokes" in marks.prompt));
        assert.ok(!("strokes" in marked(["positive", [1, 2]]).toJSON()));
    });

    test("end where there is no room for more points", () => {
        const long = { ...stroke, points: Array(5000).fill([1, 2]) };
        assert.ok(marked(["stroke", long]).isPainted);
        assert.equal(parseMarks(JSON.stringify({ strokes: [long] })).error, null);
        assert.notEqual(parseMarks(JSON.stringify({ strokes: [long, stroke] })).error, null);
    });
});
