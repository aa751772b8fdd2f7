// Without a graphics card that can be used, the processor takes over once, the page says why, and the
// text stays. A browser without WebGPU is in firefox.test.mjs, a graphics card that fails in
// webgpu.test.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { open, visit } from "./browser.mjs";
import { code, site } from "./site.mjs";
import { choose, text, tookOver } from "./takeover.mjs";

const elsewhere = { ...site, address: site.address.replace("127.0.0.1", "explorer.test") };

for (const [reason, flags, where] of [
  ["only an adapter that the processor imitates was found", ["--enable-unsafe-webgpu"], site],
  ["no graphics adapter was found", ["--disable-gpu"], site],
  ["WebGPU needs https or localhost", ["--host-resolver-rules=MAP explorer.test 127.0.0.1"], elsewhere],
]) {
  test(reason, async () => {
    const browser = await open(flags);
    const { page, complaints } = await visit(browser, where, `#/text?t=${code(text)}`);
    site.requests.length = 0;
    await choose(page);
    await tookOver(page, reason);
    assert.ok(!site.requests.some((request) => request.includes("engine_gpu")), "the engine was fetched in vain");
    assert.deepEqual(complaints, []);
    await browser.close();
  });
}
