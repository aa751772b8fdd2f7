// Fails if the built explorer is larger than its budget, or asks for more than it should.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { record, recorded } from "./record.mjs";

const dist = new URL("../../dist/", import.meta.url).pathname;
const files = (await readdir(dist, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
const names = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(dist.length));
const sizes = new Map();
for (const name of names) {
  const bytes = await readFile(dist + name);
  sizes.set(name, { raw: bytes.length, gz: gzipSync(bytes, { level: 9 }).length });
}
const sum = (pick, kind) => names.filter(pick).reduce((sum, name) => sum + sizes.get(name)[kind], 0);
const largest = (pattern) => Math.max(0, ...names.filter((name) => pattern.test(name)).map((name) => sizes.get(name).raw));
const run = JSON.parse(await readFile(dist + "data/manifest.json", "utf8")).runs[0].name;
const isFirst = (name) => /^(index\.html|style.*\.css|boot.*\.js|explorer.*\.(js|wasm)|data\/manifest\.json)$/.test(name) || name === `data/${run}/index.json`;

const rows = [
  ["first page, compressed", sum(isFirst, "gz"), 450_000],
  ["CPU engine, compressed", sum((name) => /^engine_cpu.*\.(js|wasm)$/.test(name), "gz"), 400_000],
  ["WebGPU engine, compressed", sum((name) => /^webgpu\/engine_gpu.*\.(js|wasm)$/.test(name), "gz"), 2_500_000],
  ["data of all runs", sum((name) => name.startsWith("data/"), "raw"), 4_000_000],
  ["largest file", Math.max(...[...sizes.values()].map(({ raw }) => raw)), 25_000_000],
  ["largest page of a feature", largest(/\/f\/\d+\.json$/), 8_000],
  ["largest page of a combination", largest(/\/c\/\d+\.json$/), 8_000],
  ["largest index of a run", largest(/\/index\.json$/), 60_000],
];
let failed = false;
for (const [what, bytes, budget] of rows) {
  const over = bytes > budget;
  failed ||= over;
  console.log(`${over ? "TOO LARGE" : "       ok"}  ${String(bytes).padStart(9)} of ${String(budget).padStart(9)} bytes  ${what}`);
}
// Other compilers make other bytes; a tenth more is a change that someone should have seen in a diff.
const before = (await recorded()).bytes ?? {};
for (const [what, bytes] of rows) {
  if (process.env.CSAE_RECORD === "1" || !(bytes > 1.1 * before[what])) continue;
  console.log(`GREW      ${what}: ${before[what]} bytes in docs/perf.json, ${bytes} here; CSAE_RECORD=1 node size.mjs records it`);
  failed = true;
}
await record("bytes", Object.fromEntries(rows.map(([what, bytes]) => [what, bytes || before[what]])));
if (!names.some((name) => /^explorer.*\.wasm$/.test(name))) throw new Error("the explorer is not built");
const app = await readFile(dist + names.find((name) => /^explorer.*\.wasm$/.test(name)));
if (/burn[-_](flex|tensor|core)/.test(app.toString("latin1"))) {
  console.log("TOO MUCH  the page's first file has burn in it");
  failed = true;
}
process.exit(failed ? 1 : 0);
