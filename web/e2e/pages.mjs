// What tests of pages have in common.

import assert from "node:assert/strict";
import { test } from "node:test";
import { id, visit } from "./browser.mjs";
import { site } from "./site.mjs";

export const heading = async (page, text) => page.getByRole("heading", { level: 1, name: text }).waitFor();

export const problem = async (page, expected) => {
  await id(page, "problem").first().waitFor();
  assert.match(await id(page, "problem").first().innerText(), expected);
};

// Gives a function that makes a test: a page is visited, looked at, and must have given no cause for
// complaint.
export const pages = (browser) => (name, fragment, look, { spoil, options, mayComplain } = {}) => {
  test(name, async () => {
    site.spoil = spoil ?? (() => undefined);
    const visited = await visit(browser, site, fragment, options);
    try {
      await look(visited.page);
      if (!mayComplain) assert.deepEqual(visited.complaints, []);
    } finally {
      site.spoil = () => undefined;
      await visited.close();
    }
  });
};
