// No violation that axe-core knows, on any page, in both themes, also on a phone.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { id, open, visit } from "./browser.mjs";
import { code, site } from "./site.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await open();
after(() => browser.close());

async function expectNone(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
  assert.deepEqual(told, []);
}

for (const theme of ["light", "dark"]) {
  for (const [fragment, ready] of [
    ["#/", "table.methods"], ["#/features", "tbody tr"], ["#/f/17", ".places li"], ["#/combinations", "tbody tr"],
    ["#/c/0", ".places li"], ["#/text", ".strip button"], ["#/compare", "tbody tr"], ["#/about", "h1"], ["#/f/99999", ".problem"],
  ]) {
    test(`${fragment} in the ${theme} theme`, async () => {
      const { page, close } = await visit(browser, site, `${fragment}?theme=${theme}`, { bypassCSP: true });
      await page.locator(ready).first().waitFor();
      await id(page, "engine").click();
      await expectNone(page);
      await page.setViewportSize({ width: 390, height: 844 });
      await expectNone(page);
      await close();
    });
  }
}

test("the help", async () => {
  const { page, close } = await visit(browser, site, "#/features", { bypassCSP: true });
  await page.getByRole("button", { name: "Keys" }).click();
  await page.getByRole("dialog").waitFor();
  await expectNone(page);
  await close();
});

test("own text that was read", async () => {
  const { page, close } = await visit(browser, site, `#/text?t=${code("to be")}`, { bypassCSP: true });
  await id(page, "seconds").waitFor({ timeout: 60_000 });
  await expectNone(page);
  await close();
});
