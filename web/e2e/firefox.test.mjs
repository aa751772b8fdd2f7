// The explorer in Firefox: every page, and own text on the processor.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import puppeteer from "puppeteer-core";
import { code, index, site } from "./site.mjs";

const installed = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
const browser = await puppeteer.launch({
  browser: "firefox", executablePath: process.env.FIREFOX ?? installed, timeout: 120_000,
  extraPrefsFirefox: { "dom.webgpu.enabled": false },
});
after(() => browser.close());

async function visit(fragment) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  await page.goto(site.address + fragment);
  return { page, complaints };
}
const id = (name) => `[data-testid="${name}"]`;
const patient = { timeout: 60_000 };

for (const [fragment, ready, title] of [
  ["#/", "table.methods", "Overview"], ["#/features", "tbody tr", "Features"], ["#/f/17", ".places li", "Feature 17"],
  ["#/combinations", "tbody tr", "Combinations"], ["#/c/0", ".places li", "Combination 0"], ["#/text", ".strip button", "Text"], ["#/about", id("versions"), "About"],
]) {
  test(`${fragment} opens`, async () => {
    const { page, complaints } = await visit(fragment);
    await page.waitForSelector(`main ${ready}`, patient);
    assert.equal(await page.title(), `${title} · csae explorer`);
    assert.equal(await page.$(id("problem")), null);
    assert.deepEqual(complaints, []);
    await page.close();
  });
}

test("own text is read on the processor, and WebGPU's absence is told", async () => {
  const text = index.texts[0].slice(0, 40);
  const { page, complaints } = await visit(`#/text?t=${code(text)}`);
  await page.waitForSelector(id("seconds"), patient);
  assert.equal((await page.$$(`${id("strip")} button`)).length, [...text].length);
  await page.click(id("engine"));
  await page.click(id("gpu"));
  await page.waitForFunction(() => /not on the graphics card: this browser has no WebGPU/.test(document.querySelector("#own-hint")?.innerText), patient);
  await page.waitForSelector(id("seconds"), patient);
  assert.deepEqual(complaints, []);
  await page.close();
});
