// What a visitor does with pages beside reading them: takes tables and addresses along, looks at
// drawings, compares runs, loses the network.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after } from "node:test";
import { id, open } from "./browser.mjs";
import { heading, pages, problem } from "./pages.mjs";
import { index, json, run } from "./site.mjs";

const browser = await open();
after(() => browser.close());
const page = pages(browser);

// What a button offers as a file: its name and its lines.
async function offered(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const text = await readFile(await download.path(), "utf8");
  return { name: download.suggestedFilename(), lines: text.trimEnd().split("\n") };
}

page("a table is taken along as CSV, as it is filtered and sorted", "#/features?sort=-density&min=0.3", async (page) => {
  await page.locator("tbody tr").first().waitFor();
  const { name, lines } = await offered(page, id(page, "csv"));
  assert.equal(name, `${run}_features.csv`);
  assert.match(lines[0], /^feature,density,mean,max,reuse,raises,example,histogram$/);
  const dense = index.features.map(({ density }, feature) => ({ density, feature })).filter(({ density }) => density >= 0.3);
  dense.sort((one, other) => other.density - one.density || one.feature - other.feature);
  assert.deepEqual(lines.slice(1).map((line) => line.split(",").slice(0, 2).map(Number)), dense.map(({ density, feature }) => [feature, density]));
});

page("combinations and methods are taken along, too", "#/combinations?size=3", async (page) => {
  await page.locator("tbody tr").first().waitFor();
  const triples = index.combinations.filter(({ parts }) => parts.length === 3);
  const { lines } = await offered(page, id(page, "csv"));
  assert.equal(lines.length, 1 + triples.length);
  assert.ok(lines.slice(1).every((line) => line.split(",")[2] === "3"));
  await page.getByRole("link", { name: "Overview" }).click();
  await page.locator("table.methods").waitFor();
  const methods = await offered(page, id(page, "csv"));
  assert.equal(methods.lines.length, 1 + index.methods.length);
  assert.ok(methods.lines[1].startsWith(`"${index.methods[0].name}",`));
});

page("the drawing of strengths is a table, too", "#/f/17", async (page) => {
  const { histogram } = await json(`data/${run}/f/17.json`);
  await page.getByText("As a table").click();
  const cells = await id(page, "bins").locator("tbody td").allInnerTexts();
  assert.deepEqual(cells.map((cell) => Number(cell.replaceAll(",", ""))), histogram.counts);
});

page("the tables are drawings, too, whose dots open pages", "#/features?q=f17", async (page) => {
  await page.getByText("Density and reuse as a drawing").click();
  await id(page, "plot").locator("circle").first().waitFor();
  const alive = index.features.filter(({ density }) => density > 0).length;
  assert.equal(await id(page, "plot").locator("circle").count(), alive);
  assert.equal(await id(page, "plot").locator("circle:not(.faint)").count(), 1);
  await id(page, "plot").locator("circle:not(.faint)").click();
  await heading(page, "Feature 17");
  await page.getByRole("link", { name: "Combinations" }).click();
  await page.getByText("Support and interaction as a drawing").click();
  await id(page, "plot").locator("circle").first().waitFor();
  assert.equal(await id(page, "plot").locator("circle").count(), index.combinations.length);
});

page("the address is copied by a button and by a key", "#/features?sort=-max", async (page) => {
  await page.locator("tbody tr").first().waitFor();
  await id(page, "copy").click();
  await id(page, "copied").getByText("Address copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url());
  assert.ok(page.url().endsWith("#/features?sort=-max"));
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await heading(page, "Combinations");
  await page.keyboard.press("c");
  await id(page, "copied").getByText("Address copied").waitFor();
  await page.waitForFunction(async () => (await navigator.clipboard.readText()) === location.href);
}, { options: { permissions: ["clipboard-read", "clipboard-write"] } });

page("a browser that does not let the page copy is told so", "#/about", async (page) => {
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await id(page, "copy").click();
  await id(page, "copied").getByText("Not allowed here").waitFor();
});

page("without a network the page says so, keeps what it has, and goes on when it is back", "#/features", async (page) => {
  await page.locator("tbody tr").first().waitFor();
  await page.context().setOffline(true);
  await page.locator(".notice").getByText("This machine is offline").waitFor();
  await page.locator("tbody th a").first().click();
  await problem(page, /f\/0\.json could not be loaded: this machine is offline/);
  await page.goBack();
  await page.locator("tbody tr").first().waitFor();
  await page.goForward();
  await problem(page, /this machine is offline/);
  await page.context().setOffline(false);
  await page.locator(".places li").first().waitFor();
  assert.equal(await page.locator(".notice").count(), 0);
}, { mayComplain: true });

// A second run, with one method fewer and another error.
const beside = async (name) => {
  const manifest = await json("data/manifest.json");
  const [first, ...others] = index.methods;
  if (name === "data/manifest.json") {
    const other = { ...manifest.runs[0], name: "run_other", version: "other" };
    return { body: JSON.stringify({ ...manifest, runs: [manifest.runs[0], other] }) };
  }
  if (name === "data/run_other/index.json") {
    const changed = { ...first, fvu: { mean: 0.5, stderr: 0.01 } };
    return { body: JSON.stringify({ ...index, name: "run_other", methods: [changed, ...others.slice(1)] }) };
  }
};
page("runs are compared side by side", "#/", async (page) => {
  await page.getByRole("link", { name: "Compare" }).click();
  await heading(page, "Compare runs");
  await id(page, "runs").locator("tbody tr").first().waitFor();
  assert.equal(await id(page, "runs").locator("tbody tr").count(), 2);
  const rows = id(page, "compared").locator("tbody tr");
  assert.equal(await rows.count(), index.methods.length);
  assert.deepEqual((await rows.nth(0).locator("td.number").allInnerTexts())[1], "50.0 % ± 1.00 %");
  assert.equal((await rows.nth(1).locator("td.number").allInnerTexts())[1], "–");
  await id(page, "measure").selectOption("l0");
  await page.waitForFunction(() => location.hash.includes("by=l0"));
  const { name, lines } = await offered(page, id(page, "csv"));
  assert.equal(name, `${run}_comparison.csv`);
  assert.equal(lines.length, 2 * index.methods.length);
  await id(page, "runs").getByRole("link", { name: "run_other" }).click();
  await page.waitForFunction(() => location.hash.includes("run=other"));
}, { spoil: beside });
page("one run alone has nothing beside it, and the page says how others come", "#/compare", async (page) => {
  await id(page, "single").waitFor();
  assert.equal(await page.getByRole("link", { name: "Compare" }).count(), 0);
});
