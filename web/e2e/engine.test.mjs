// Own text, and parity: what the trainer computed natively and stored, computed again in Chromium.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFile, stat } from "node:fs/promises";
import { id, open, visit } from "./browser.mjs";
import { serve } from "./serve.mjs";

const dist = new URL("../../dist/", import.meta.url).pathname;
const json = async (name) => JSON.parse(await readFile(dist + name, "utf8"));
const code = (text) => Buffer.from(text, "utf8").toString("base64url");
let browser, site, run, index;

before(async () => {
  site = await serve(dist);
  browser = await open();
  run = (await json("data/manifest.json")).runs[0].name;
  index = await json(`data/${run}/index.json`);
});
after(async () => {
  await browser?.close();
  site?.stop();
});

// Starts the engine as the page does and reads texts with it; answers as the worker gives them.
async function readings(engine, texts, patience) {
  const { page, complaints, close } = await visit(browser, site, "#/about");
  const files = ["bundle.json", "features.json", "weights.safetensors"];
  const answers = await page.evaluate(async ({ engine, texts, files, run, model, patience }) => {
    const worker = new Worker(`worker.js?engine=${engine}&v=test&software`, { type: "module" });
    const next = () => new Promise((resolve, reject) => {
      const slow = setTimeout(() => reject(new Error("the engine gave no answer")), patience);
      worker.onmessage = ({ data }) => { clearTimeout(slow); resolve(data); };
      worker.onerror = (event) => reject(new Error(event.message ?? "the worker broke"));
    });
    const expect = async (kind) => {
      const answer = await next();
      if (answer.kind !== kind) throw new Error(`${answer.kind}: ${answer.reason}`);
      return answer;
    };
    const buffers = await Promise.all(files.map(async (file) => (await fetch(`data/${run}/model/${file}`)).arrayBuffer()));
    await expect("started");
    worker.postMessage({ kind: "load", autoencoder: model, names: files, buffers });
    await expect("ready");
    const answers = [];
    for (const text of texts) {
      worker.postMessage({ kind: "read", text });
      const { json, milliseconds } = await expect("reading");
      answers.push({ reading: JSON.parse(json), milliseconds });
    }
    worker.terminate();
    return answers;
  }, { engine, texts, files, run, model: index.model, patience });
  await close();
  return { answers, complaints };
}

// Compares two readings; a feature may differ where its strength is within the tolerance of the rank
// that still counts. Returns how many such ties there were.
function compare(stored, computed, tolerance) {
  let ties = 0;
  const near = (one, other, what) => assert.ok(Math.abs(one - other) <= tolerance * Math.max(1, Math.abs(one)), `${what}: ${one} and ${other}`);
  assert.equal(computed.positions.length, stored.positions.length);
  stored.positions.forEach((position, at) => {
    const other = computed.positions[at];
    const last = Math.min(...position.active.map(([, strength]) => strength), ...other.active.map(([, strength]) => strength));
    const strengths = new Map(other.active.map(([feature, strength]) => [feature, strength]));
    for (const [feature, strength] of position.active) {
      if (strengths.has(feature)) near(strength, strengths.get(feature), `strength of f${feature} at ${at}`);
      else if (strength - last <= tolerance * 10) ties += 1;
      else assert.fail(`f${feature} at ${at} is missing`);
    }
    near(position.error, other.error, `error at ${at}`);
    near(position.composed_share, other.composed_share, `share of combinations at ${at}`);
    const pairs = new Map(other.attention.map(([head, from, to, weight]) => [`${head} ${from} ${to}`, weight]));
    const least = Math.min(1, ...position.attention.map(([, , , weight]) => weight));
    for (const [head, from, to, weight] of position.attention) {
      const found = pairs.get(`${head} ${from} ${to}`);
      if (found !== undefined) near(weight, found, `attention at ${at}`);
      else if (weight - least <= tolerance * 10) ties += 1;
      else assert.fail(`attention ${head} ${from} ${to} at ${at} is missing`);
    }
    const units = new Map(other.units.map((unit) => [unit.unit, unit.strength]));
    for (const { unit, strength } of position.units) near(strength, units.get(unit) ?? 0, `unit ${unit} at ${at}`);
    const guesses = new Map(other.next.map(([character, ...both]) => [character, both]));
    for (const [character, ...both] of position.next) {
      const found = guesses.get(character);
      if (!found) ties += 1;
      else both.forEach((value, place) => near(Math.log(value), Math.log(found[place]), `log-probability of ${character} at ${at}`));
    }
    for (const loss of ["clean_loss", "reconstructed_loss"]) {
      if (position[loss] !== null) near(position[loss], other[loss], `${loss} at ${at}`);
    }
  });
  return ties;
}

async function parity(engine, count, tolerance, patience) {
  const stored = [];
  for (let number = 0; number < Math.min(count, index.texts.length); number++) stored.push(await json(`data/${run}/t/${number}.json`));
  const { answers, complaints } = await readings(engine, stored.map((reading) => reading.text), patience);
  assert.deepEqual(complaints, []);
  const ties = stored.map((reading, number) => compare(reading, answers[number].reading, tolerance));
  console.log(`${engine}: ${stored.length} texts agree to ${tolerance}, ${ties.reduce((sum, ties) => sum + ties, 0)} ties`);
}

test("the CPU engine computes what the trainer computed", async () => parity("engine_cpu", 6, 1e-4, 60_000));

test("256 characters are read quickly, and the page is never blocked", async () => {
  const text = index.texts.join("").repeat(9).slice(0, 256);
  const { page, complaints, close } = await visit(browser, site, "#/text");
  await page.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.longest = Math.max(window.longest, entry.duration); })).observe({ type: "longtask" });
  });
  const { answers } = await readings("engine_cpu", [text, text, text], 60_000);
  const best = Math.min(...answers.map(({ milliseconds }) => milliseconds));
  await id(page, "own-text").fill(text);
  await id(page, "read").click();
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  const longest = await page.evaluate(() => window.longest);
  console.log(`256 characters: ${best.toFixed(0)} ms in the engine; longest task of the page ${longest} ms`);
  assert.deepEqual(complaints, []);
  await close();
});

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
  await page.waitForFunction(() => /does not know/.test(document.querySelector("#own-hint").innerText));
  assert.ok(await id(page, "read").isDisabled());
  const began = Date.now();
  await id(page, "own-text").evaluate((area) => {
    area.value = "a".repeat(10_000_000);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.waitForFunction(() => /257 characters; at most 256/.test(document.querySelector("#own-hint").innerText));
  assert.ok(Date.now() - began < 5_000);
  await id(page, "own-text").fill("\u0000\u0007x");
  await page.waitForFunction(() => /does not know/.test(document.querySelector("#own-hint").innerText), null, { timeout: 5_000 });
  await id(page, "own-text").fill("to be");
  await id(page, "read").click();
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  assert.match(await hint.innerText(), /Ctrl-Enter/);
  assert.deepEqual(complaints, []);
  await close();
});

test("an engine that cannot start leaves the stored texts", async () => {
  site.spoil = (name) => (name.startsWith("engine_cpu_bg") ? { status: 500 } : undefined);
  const { page, close } = await visit(browser, site, `#/text?t=${code("to be")}`);
  await id(page, "problem").waitFor({ timeout: 30_000 });
  assert.match(await id(page, "problem").innerText(), /could not start/);
  await id(page, "stored").locator("button").first().click();
  await id(page, "strip").waitFor();
  site.spoil = () => undefined;
  await close();
});

test("damaged weights are told", async () => {
  site.spoil = (name) => (name.endsWith("weights.safetensors") ? { body: "no weights" } : undefined);
  const { page, close } = await visit(browser, site, `#/text?t=${code("to be")}`);
  await id(page, "problem").waitFor({ timeout: 30_000 });
  assert.match(await id(page, "problem").innerText(), /weights.safetensors is damaged/);
  site.spoil = () => undefined;
  await close();
});

test("without a real graphics card the engine falls back once and says why", async () => {
  const { page, close } = await visit(browser, site, `#/text?t=${code("to be")}`);
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  await id(page, "gpu").click();
  await page.waitForFunction(() => /not on the graphics card/.test(document.querySelector("#own-hint").innerText), null, { timeout: 30_000 });
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  await close();
});

const hasGpu = await stat(dist + "webgpu/engine_gpu_bg.wasm").then(() => true, () => false);
test("the WebGPU engine computes what the trainer computed", { skip: !hasGpu && "scripts/build-webgpu.sh has not built it" }, async () =>
  parity("engine_gpu", 1, 1e-3, 500_000));
