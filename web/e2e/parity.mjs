// What the trainer computed natively and stored, computed again by an engine, and compared.

import assert from "node:assert/strict";
import { visit } from "./browser.mjs";
import { index, json, run, site } from "./site.mjs";

// Starts the engine as the page does and reads texts with it; answers as the worker gives them.
export async function readings(browser, engine, texts, patience) {
  const { page, complaints, close } = await visit(browser, site, "#/about");
  const files = ["bundle.json", "features.json", "weights.safetensors"];
  const answers = await page.evaluate(async ({ engine, texts, files, run, model, patience }) => {
    const worker = new Worker(`worker.js?engine=${engine}&v=test&software`, { type: "module" });
    const heard = [];
    let wake = () => {};
    const hear = (message) => { heard.push(message); wake(); };
    worker.onmessage = ({ data }) => hear(data);
    worker.onerror = (event) => hear({ kind: "failed", reason: event.message ?? "the worker broke" });
    const next = () => new Promise((resolve, reject) => {
      const slow = setTimeout(() => reject(new Error("the engine gave no answer")), patience);
      wake = () => { if (heard.length) { clearTimeout(slow); resolve(heard.shift()); } };
      wake();
    });
    const expect = async (kind) => {
      const answer = await next();
      if (answer.kind === "adapter") return expect(kind);
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
// that still counts. Returns how many such ties there were, and the largest difference elsewhere.
function compare(stored, computed, tolerance) {
  let [ties, largest] = [0, 0];
  const near = (one, other, what) => {
    const difference = Math.abs(one - other) / Math.max(1, Math.abs(one));
    assert.ok(difference <= tolerance, `${what}: ${one} and ${other}`);
    largest = Math.max(largest, difference);
  };
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
  return { ties, largest };
}

export async function parity(browser, engine, count, tolerance, patience) {
  const stored = [];
  for (let number = 0; number < Math.min(count, index.texts.length); number++) stored.push(await json(`data/${run}/t/${number}.json`));
  const { answers, complaints } = await readings(browser, engine, stored.map((reading) => reading.text), patience);
  assert.deepEqual(complaints, []);
  const found = stored.map((reading, number) => compare(reading, answers[number].reading, tolerance));
  const ties = found.reduce((sum, { ties }) => sum + ties, 0);
  const largest = Math.max(...found.map(({ largest }) => largest)).toExponential(1);
  const times = answers.map(({ milliseconds }) => milliseconds.toFixed(0)).join(", ");
  console.log(`${engine}: ${stored.length} texts agree to ${tolerance}, at most ${largest} apart, ${ties} ties; read in ${times} ms`);
}
