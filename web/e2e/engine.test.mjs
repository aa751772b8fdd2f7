// Own text, and parity: what the trainer computed natively and stored, computed again in Chromium.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { id, open, visit } from "./browser.mjs";
import { parity } from "./parity.mjs";
import { bytes, code, index, json, run, site } from "./site.mjs";

const browser = await open();
after(() => browser.close());

test("the CPU engine computes what the trainer computed", async () => parity(browser, "engine_cpu", 6, 1e-4, 60_000));

test("own text is typed, read and put into the address", async () => {
  const { page, complaints, close } = await visit(browser, site, "#/text");
  await id(page, "own-text").fill("");
  await page.locator("#own-text").focus();
  await page.keyboard.type("The king is de");
  await page.keyboard.press("Control+Enter");
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  assert.equal(await id(page, "strip").locator("button").count(), 14);
  assert.match(await id(page, "engine").innerText(), /CPU$/);
  assert.ok((await page.evaluate(() => location.hash)).includes(`t=${code("The king is de")}`));
  assert.match(await id(page, "next").innerText(), /a/);
  await page.reload();
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  assert.equal(await id(page, "strip").locator("button").count(), 14);
  assert.deepEqual(complaints, []);
  await close();
});

test("what cannot be read is refused on the page, and the next text is read", async () => {
  const { page, complaints, close } = await visit(browser, site, "#/text");
  const hint = id(page, "own-hint");
  await id(page, "own-text").fill("日本");
  await page.waitForFunction(() => /does not know/.test(document.querySelector("#own-hint")?.innerText));
  assert.ok(await id(page, "read").isDisabled());
  const began = Date.now();
  await id(page, "own-text").evaluate((area) => {
    area.value = "a".repeat(10_000_000);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.waitForFunction(() => /257 characters; at most 256/.test(document.querySelector("#own-hint")?.innerText));
  assert.ok(Date.now() - began < 5_000);
  await id(page, "own-text").fill("\u0000\u0007x");
  await page.waitForFunction(() => /does not know/.test(document.querySelector("#own-hint")?.innerText), null, { timeout: 5_000 });
  await id(page, "own-text").fill("to be");
  await id(page, "read").click();
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  assert.match(await hint.innerText(), /Ctrl-Enter/);
  assert.deepEqual(complaints, []);
  await close();
});

const chipSays = (page, expected) => page.waitForFunction((expected) => document.querySelector('[data-testid="engine"]')?.innerText.endsWith(expected), expected);

// What is wrong with the engine's files, and what the page says of it.
const bundle = await json(`data/${run}/model/bundle.json`);
const weights = await bytes(`data/${run}/model/weights.safetensors`);
const model = (name, body) => (asked) => (asked.endsWith(`model/${name}`) ? { body } : undefined);
const missing = (name) => (asked) => (asked.startsWith(name) ? { status: 404 } : undefined);
for (const [what, spoil, expected] of [
  ["no worker", missing("worker.js"), /its worker could not be started/],
  ["no script of the engine", missing("engine_cpu.js"), /its file is damaged or could not be loaded/],
  ["no engine", missing("engine_cpu_bg"), /its file is damaged or could not be loaded/],
  ["a damaged engine", (asked) => (asked.startsWith("engine_cpu_bg") ? { body: "no engine" } : undefined), /its file is damaged or could not be loaded/],
  ["a blocked engine", (asked) => (asked.startsWith("engine_cpu_bg") ? { cut: true } : undefined), /its file is damaged or could not be loaded/],
  ["no weights", missing(`data/${run}/model/weights`), /weights.safetensors could not be loaded: the server says 404/],
  ["foreign weights", model("weights.safetensors", "no weights"), /weights.safetensors is damaged/],
  ["truncated weights", model("weights.safetensors", weights.subarray(0, 100_000)), /weights.safetensors is damaged/],
  ["a truncated bundle", model("bundle.json", JSON.stringify(bundle).slice(0, 400)), /bundle.json is not what a bundle has there/],
  ["a foreign bundle", model("bundle.json", '{"hello":"world"}'), /bundle.json is not what a bundle has there/],
  ["a newer bundle", model("bundle.json", JSON.stringify({ ...bundle, schema: 99 })), /the form 99.*use a newer csae/],
  ["a bundle of another model", model("bundle.json", JSON.stringify({ ...bundle, lm: { ...bundle.lm, d_model: 64 } })), /The engine failed/],
  ["a bundle without the autoencoder", model("bundle.json", JSON.stringify({ ...bundle, autoencoders: {} })), /The engine failed/],
]) {
  test(`${what}: a sentence, and all else works`, async () => {
    site.spoil = spoil;
    const { page, close } = await visit(browser, site, `#/text?t=${code("to be")}`);
    try {
      await id(page, "problem").waitFor({ timeout: 30_000 });
      const told = await id(page, "problem").innerText();
      assert.match(told, expected);
      assert.match(told, /Your text could not be read/);
      assert.match(await id(page, "engine").innerText(), /engine failed$/);
      assert.equal(await id(page, "own-text").inputValue(), "to be");
      await id(page, "stored").locator("button").first().click();
      await id(page, "strip").waitFor();
      await page.getByRole("link", { name: "Features" }).click();
      await page.locator("tbody tr").first().waitFor();
      site.spoil = () => undefined;
      await page.goBack();
      await id(page, "own-text").fill("to be");
      await id(page, "read").click();
      await id(page, "seconds").waitFor({ timeout: 60_000 });
    } finally {
      site.spoil = () => undefined;
      await close();
    }
  });
}

test("after a failure the same text is read again, without leaving the page", async () => {
  const { page, close } = await visit(browser, site, "#/about");
  for (const again of [page.getByRole("button", { name: "Try again" }), id(page, "read")]) {
    site.spoil = missing(`data/${run}/model/weights`);
    await page.goto("about:blank");
    await page.goto(`${site.address}#/text?t=${code("to be")}`);
    await id(page, "problem").waitFor({ timeout: 30_000 });
    site.spoil = () => undefined;
    await again.click();
    await id(page, "seconds").waitFor({ timeout: 60_000 });
  }
  await close();
});

test("the chip tells the engine's own file from the model, and a worker that stops is told", async () => {
  const { page, close } = await visit(browser, site, "#/about");
  await page.addInitScript(() => {
    const { Worker } = globalThis;
    globalThis.Worker = function (...wishes) {
      globalThis.worker = new Worker(...wishes);
      return globalThis.worker;
    };
  });
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  site.spoil = (asked) => (asked.startsWith("engine_cpu_bg") ? held : undefined);
  await page.goto(`${site.address}#/text?t=${code("to be")}`);
  await page.reload();
  await chipSays(page, "starting");
  release();
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  site.spoil = () => undefined;
  await page.evaluate(() => globalThis.worker.dispatchEvent(new Event("error")));
  await id(page, "problem").waitFor();
  assert.match(await id(page, "problem").innerText(), /its worker stopped/);
  await close();
});

test("own text follows the address", async () => {
  const { page, close } = await visit(browser, site, `#/text?t=${code("to be")}`);
  await page.waitForFunction(() => document.querySelector("#own-text")?.value === "to be");
  await page.evaluate((code) => { location.hash = `#/text?t=${code}`; }, code("or not"));
  await page.waitForFunction(() => document.querySelector("#own-text")?.value === "or not");
  await close();
});

// A second run with the files of the first; files that `isHeld` names wait for the answer, a function.
async function holdSecondRun(isHeld) {
  const manifest = await json("data/manifest.json");
  const other = { ...manifest.runs[0], name: "run_other", version: "other" };
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  site.spoil = async (asked) => {
    if (isHeld(asked)) await held;
    if (asked === "data/manifest.json") return { body: JSON.stringify({ ...manifest, runs: [manifest.runs[0], other] }) };
    if (asked.startsWith("data/run_other/")) return { body: await bytes(asked.replace("run_other", run)) };
  };
  return release;
}

test("own text waits for a run that is on its way", async () => {
  const release = await holdSecondRun((asked) => asked === "data/run_other/index.json");
  const { page, complaints, close } = await visit(browser, site, `#/text?t=${code("to be")}`);
  try {
    await id(page, "seconds").waitFor({ timeout: 60_000 });
    await id(page, "run").selectOption("run_other");
    await chipSays(page, "examples only");
    await page.waitForTimeout(1_000); // in which an engine would have started
    await chipSays(page, "examples only");
    release();
    await chipSays(page, "CPU");
    await id(page, "seconds").waitFor({ timeout: 60_000 });
    assert.deepEqual(complaints, []);
  } finally {
    site.spoil = () => undefined;
    await close();
  }
});

test("a model that comes after its run has gone is not heard", async () => {
  const release = await holdSecondRun((asked) => asked === `data/${run}/model/weights.safetensors`);
  const { page, complaints, close } = await visit(browser, site, `#/text?t=${code("to be")}`);
  try {
    await page.waitForRequest(/weights/);
    await page.getByRole("link", { name: "About" }).click();
    await id(page, "run").selectOption("run_other");
    await chipSays(page, "examples only");
    const late = page.waitForResponse(/weights/);
    release();
    await (await late).finished();
    await page.waitForTimeout(300);
    assert.match(await id(page, "engine").innerText(), /examples only$/);
    await page.getByRole("link", { name: "Text", exact: true }).click();
    await id(page, "own-text").fill("to be");
    await id(page, "read").click();
    await id(page, "seconds").waitFor({ timeout: 60_000 });
    assert.deepEqual(complaints, []);
  } finally {
    site.spoil = () => undefined;
    await close();
  }
});
