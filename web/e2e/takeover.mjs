// From the graphics card to the processor, as a visitor sees it.

import assert from "node:assert/strict";
import { id } from "./browser.mjs";

export const text = "to be";

// Chooses the graphics card on the page of a text that has been read.
export async function choose(page) {
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  await id(page, "engine").click();
  await id(page, "gpu").click();
}

// Waits until the processor has taken over for `reason` and has read the text.
export async function tookOver(page, reason) {
  const told = `On the processor; not on the graphics card: ${reason}`;
  await page.waitForFunction((told) => document.querySelector("#own-hint")?.innerText.startsWith(told), told, { timeout: 60_000 });
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  assert.match(await id(page, "engine").innerText(), /CPU, WebGPU off$/);
  assert.equal(await id(page, "own-text").inputValue(), text);
  await id(page, "engine").click();
  assert.ok((await page.locator("#engine-menu").innerText()).includes(`WebGPU off: ${reason}`));
}
