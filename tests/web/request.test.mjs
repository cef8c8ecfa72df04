// A question goes out whole, and every way in which it can fail ends in a sentence.
import assert from "node:assert/strict";
import { test } from "node:test";

import { askForMask } from "../../web/js/request.js";
import { Marks } from "../../web/js/marks.js";

const question = { model: "small", image: { filename: "a.png" }, points: new Marks({ box: [0, 0, 5, 5] }), candidates: "best" };
const refusal = (status, body) => ({ ok: false, status, json: async () => body });

/** Ask a server that gives this answer, or throws it. */
function ask(answer, stop = new AbortController()) {
    const asked = [];
    const api = {
        async fetchApi(path, options) {
            asked.push([path, options]);
            if (answer instanceof Error) throw answer;
            return answer;
        },
    };
    return askForMask(api, question, stop).then((given) => ({ given, asked }));
}

test("the marks are sent as the workflow carries them", async () => {
    const { asked: [[path, { method, body, headers }]] } = await ask(refusal(400, {}));
    assert.deepEqual([path, method, headers["Content-Type"]], ["/igr/segment", "POST", "application/json"]);
    assert.deepEqual(JSON.parse(body), {
        ...question, points: { positive: [], negative: [], box: [0, 0, 5, 5], size: null },
    });
});

test("the server's sentence and status are given on", async () => {
    const { given } = await ask(refusal(429, { error: "ComfyUI is running a workflow." }));
    assert.deepEqual(given, { error: "ComfyUI is running a workflow.", status: 429 });
});

test("an answer that is not JSON is told without its text", async () => {
    const { given } = await ask({ ok: false, status: 500, json: async () => { throw new SyntaxError("<html>"); } });
    assert.deepEqual(given, { error: "ComfyUI could not create the mask.", status: 500 });
});

test("a server that is gone has status 0", async () => {
    const { given } = await ask(new TypeError("Failed to fetch"));
    assert.deepEqual(given, { error: "ComfyUI is not responding.", status: 0 });
});

test("a request can be stopped by whoever asks", async () => {
    const stop = new AbortController();
    const { asked: [[, { signal }]] } = await ask(refusal(400, {}), stop);
    stop.abort();
    assert.ok(signal.aborted);
});
