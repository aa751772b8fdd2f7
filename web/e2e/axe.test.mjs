// No violation that axe-core knows, on any page, in both themes.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { id, open, visit } from "./browser.mjs";
import { site } from "./site.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await open();
after(() => browser.close());

for (const theme of ["light", "dark"]) {
  for (const [fragment, ready] of [
    ["#/", "table.methods"], ["#/features", "tbody tr"], ["#/f/17", ".places li"], ["#/combinations", "h1"],
    ["#/c/0", "h1"], ["#/text", ".strip button"], ["#/about", "h1"], ["#/f/99999", ".problem"],
  ]) {
    test(`${fragment} in the ${theme} theme`, async () => {
      const { page, close } = await visit(browser, site, `${fragment}?theme=${theme}`, { bypassCSP: true });
      await page.locator(ready).first().waitFor();
      await id(page, "engine").click();
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
      assert.deepEqual(told, []);
      await close();
    });
  }
}
