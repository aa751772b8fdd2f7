// The built explorer, served for one file of tests, and what its first run holds.

import { after } from "node:test";
import { readFile } from "node:fs/promises";
import { serve } from "./serve.mjs";

const dist = new URL("../../dist/", import.meta.url).pathname;
export const bytes = (name) => readFile(dist + name);
export const json = async (name) => JSON.parse(await bytes(name));
export const site = await serve(dist);
export const run = (await json("data/manifest.json")).runs[0].name;
export const index = await json(`data/${run}/index.json`);
after(() => site.stop());

// As own text stands in an address.
export const code = (text) => Buffer.from(text, "utf8").toString("base64url");
