// ComfyUI loads every .js file below web/ as an extension: all but the entry must do nothing when loaded on their own.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../web/js/", import.meta.url);
const modules = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js"));
const sourceText = (name) => readFileSync(new URL(name, folder), "utf-8");

test("there is one entry and some modules", () => {
    assert.ok(modules.includes("entry.js") && modules.length > 4);
});

for (const name of modules.filter((one) => one !== "entry.js")) {
    test(`${name} does nothing when it is loaded on its own, without page and frontend`, async () => {
        const before = Object.getOwnPropertyNames(globalThis).sort();
        const exported = Object.keys(await import(new URL(name, folder)));
        assert.ok(exported.length > 0);
        assert.deepEqual(Object.getOwnPropertyNames(globalThis).sort(), before);
    });

    test(`${name} leaves the frontend to the entry`, () => {
        assert.doesNotMatch(sourceText(name), /scripts\/(app|api)\.js|registerExtension/);
    });
}

test("the entry registers one extension", () => {
    assert.equal(sourceText("entry.js").match(/registerExtension/g).length, 1);
});
