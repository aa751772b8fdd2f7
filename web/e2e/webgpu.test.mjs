// The engine for graphics cards, on the adapter that the processor imitates: slow, but WebGPU.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { id, open, visit } from "./browser.mjs";
import { parity } from "./parity.mjs";
import { code, site } from "./site.mjs";
import { choose, text, tookOver } from "./takeover.mjs";

const browser = await open();
after(() => browser.close());

test("the WebGPU engine computes what the trainer computed", async () =>
  parity(browser, "engine_gpu", 6, 1e-3, 500_000));

test("a graphics card that warms up for too long gives way to the processor", async () => {
  const { page, complaints, close } = await visit(browser, site, `#/text?t=${code(text)}`);
  await page.evaluate(() => { window.csaeSoftwareAdapter = 3; });
  await choose(page);
  await tookOver(page, "its warm-up took more than 3 s");
  assert.deepEqual(complaints, []);
  await close();
});

test("own text is read on the graphics card, and on the processor when that is lost", async () => {
  const { page, close } = await visit(browser, site, `#/text?t=${code(text)}`);
  await page.evaluate(() => { window.csaeSoftwareAdapter = 500; });
  await choose(page);
  await page.waitForFunction(() => /WebGPU: google swiftshader$/.test(document.querySelector("[data-testid=engine]")?.innerText), null, { timeout: 500_000 });
  await id(page, "seconds").waitFor({ timeout: 100_000 });
  await (await browser.newBrowserCDPSession()).send("Browser.crashGpuProcess");
  await tookOver(page, "the graphics card was lost");
  await close();
});
