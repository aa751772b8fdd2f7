// What was measured, kept in docs/perf.json, so that growth shows in a diff. CSAE_RECORD=1 writes it.

import { readFile, writeFile } from "node:fs/promises";

const file = new URL("../../docs/perf.json", import.meta.url);

export async function recorded() {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

// Puts `figures` in the place of what `part` held.
export async function record(part, figures) {
  if (process.env.CSAE_RECORD !== "1") return;
  await writeFile(file, `${JSON.stringify({ ...(await recorded()), [part]: figures }, null, 2)}\n`);
}
