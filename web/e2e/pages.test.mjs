// Every page as a visitor meets it, in the built explorer below a sub-path.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { headingFocused, id, open } from "./browser.mjs";
import { heading, pages, problem } from "./pages.mjs";
import { index, json, run, site } from "./site.mjs";

const browser = await open();
after(() => browser.close());
const page = pages(browser);

page("the overview shows the run's own figures", "", async (page) => {
  await heading(page, index.question);
  const shown = index.methods.find((method) => method.name === index.model);
  const text = await page.locator("main").innerText();
  assert.ok(text.includes(`${(shown.fvu.mean * 100).toFixed(2)} %`), text);
  assert.equal(await page.locator("table.methods tbody tr").count(), index.methods.length);
  await page.locator(".texts a").first().click();
  await heading(page, "Text");
});

page("features are sorted and searched, and the address says how", "#/features", async (page) => {
  const rows = page.locator("tbody tr");
  await page.waitForFunction((all) => document.querySelectorAll("tbody tr").length === all, index.features.length);
  await page.getByRole("button", { name: "Density" }).click();
  const densest = index.features.map((row) => row.density).indexOf(Math.max(...index.features.map((row) => row.density)));
  await page.waitForFunction(() => location.hash.includes("sort=-density"));
  await page.waitForFunction((all) => document.querySelectorAll("tbody tr").length === all, index.features.length);
  assert.equal(await rows.first().locator("th").innerText(), `f${densest}`);
  assert.equal(await page.locator("th[aria-sort=descending]").count(), 1);
  await id(page, "search").fill("f17");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await id(page, "search").fill("no such thing");
  await id(page, "empty").waitFor();
  await page.reload();
  await id(page, "empty").waitFor();
});

page("a feature shows where it fires and what it says", "#/f/17", async (page) => {
  await heading(page, "Feature 17");
  const stats = await json(`data/${run}/f/17.json`);
  await page.locator(".places li").first().waitFor();
  const marked = await page.locator(".places mark").first().innerText();
  const first = stats.examples[0];
  const sign = { "\n": "⏎", " ": "␣" };
  const character = [...first.text][first.at];
  assert.equal(marked, sign[character] ?? character);
  assert.equal(await page.locator(".raises tbody tr").count(), stats.raises.length);
  assert.equal(await page.locator("svg.chart rect").count(), stats.histogram.counts.filter((count) => count > 0).length);
  await page.keyboard.press("]");
  await heading(page, "Feature 18");
  await page.goBack();
  await heading(page, "Feature 17");
});

page("combinations are listed, each with a page", "#/combinations", async (page) => {
  await heading(page, "Combinations");
  await page.waitForFunction((all) => document.querySelectorAll("tbody tr").length === all, index.combinations.length);
  await page.locator("tbody th a").first().click();
  await page.getByRole("heading", { level: 1, name: /^Combination/ }).waitFor();
  await id(page, "places").waitFor();
});

page("Enter on a part opens the part, and Back comes back", "#/combinations", async (page) => {
  await page.locator("tbody tr").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: /^Combination \d/ }).waitFor();
  await page.goBack();
  await heading(page, "Combinations");
  await headingFocused(page);
  const part = page.locator("tbody td .feature").first();
  const name = `Feature ${(await part.innerText()).slice(1)}`;
  await part.focus();
  await page.keyboard.press("Enter");
  await heading(page, name);
  await page.goBack();
  await heading(page, "Combinations");
});

page("a run without combinations says so", "#/combinations", async (page) => {
  assert.match(await id(page, "empty").innerText(), /has no list of combinations/);
}, { spoil: (name) => name.endsWith("index.json") && { body: JSON.stringify({ ...index, combinations: [] }) } });

// Two combinations, whatever the demo has.
const combination = {
  parts: [3, 17], interaction: 0.42, interaction_in_context: 0.31, support: 1234, lift: 3.1, pmi: 1.13,
  support_ci95: [1100, 1391], lift_ci95: [2.4, 3.9], ci95: [0.35, 0.49], raises: [["a", 0.5]], lowers: [["\n", -0.2]], adds: [[5, 0.3]],
  together: [{ text: "two of them", at: 4, values: [0, 0, 0, 0, 2] }],
  alone: [[{ text: "only one", at: 2, values: [0, 0, 1] }], []],
};
const row = { parts: [3, 17], interaction: 0.42, ci95: [0.35, 0.49], support: 1234, lift: 3.1, raises: "a" };
const weak = { parts: [1, 2, 3], interaction: 0.01, ci95: [-0.1, 0.12], support: 9, lift: 1.0, raises: "" };
const withCombinations = (name) => {
  if (name.endsWith("index.json")) return { body: JSON.stringify({ ...index, combinations: [weak, row] }) };
  if (name.endsWith("c/1.json")) return { body: JSON.stringify(combination) };
};
page("combinations are sorted by interaction and can be of one size", "#/combinations", async (page) => {
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.locator("tbody th").first().innerText(), "c1");
  assert.match(await page.locator("tbody").innerText(), /not distinguishable from 0/);
  await id(page, "size").selectOption("3");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await page.waitForFunction(() => location.hash.includes("size=3"));
}, { spoil: withCombinations });
page("a combination shows joint examples beside those of one part", "#/c/1", async (page) => {
  await heading(page, "Combination 1");
  await id(page, "places").waitFor();
  const text = await page.locator("main").innerText();
  for (const part of ["0.420", "[0.350, 0.490]", "1,234", "1,100 to 1,391", "3.10", "2.40 to 3.90", "two of them", "only one", "No such place"]) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
}, { spoil: withCombinations });

page("stored texts work without the engine", "#/text", async (page) => {
  await id(page, "strip").waitFor();
  const before = await id(page, "active").innerText();
  const visible = async () => id(page, "active").locator("tbody tr").filter({ visible: true }).count();
  assert.equal(await visible(), 12);
  await page.getByRole("button", { name: /^Show all/ }).click();
  assert.equal(await visible(), index.sparsity_k);
  await page.locator("#character-3").click();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => location.hash.includes("at=4"));
  assert.notEqual(await id(page, "active").innerText(), before);
  await id(page, "stored").locator("button").nth(1).click();
  await page.waitForFunction(() => location.hash.includes("x=1"));
  await page.getByRole("button", { name: /^Colour the text by/ }).first().click();
  await page.waitForFunction(() => /[?&]f=\d/.test(location.hash));
  assert.match(await id(page, "engine").innerText(), /examples only$/);
  assert.ok(!site.requests.some((request) => request.includes("engine_cpu")));
});

page("a character shows the combinations that speak there", "#/text", async (page) => {
  const { positions } = await json(`data/${run}/t/0.json`);
  const at = positions.findIndex((position) => position.units.length > 0);
  assert.ok(at >= 0, "no combination speaks in the first text");
  await page.locator(`#character-${at}`).click();
  const parts = await id(page, "composed").locator(".parts").first().innerText();
  assert.equal(parts, positions[at].units[0].parts.map((part) => `f${part}`).join(" + "));
  await id(page, "composed").locator("tbody th a").first().click();
  await page.getByRole("heading", { level: 1, name: /^Combination/ }).waitFor();
  assert.equal(await page.locator(".lead .parts").innerText(), parts);
});

page("about says what this is", "#/about", async (page) => {
  await heading(page, "About");
  assert.match(await id(page, "versions").innerText(), /Explorer \d/);
});

page("the theme is in the address", "#/about", async (page) => {
  await id(page, "theme").click();
  await page.waitForFunction(() => location.hash.includes("theme=dark"));
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
}, { options: { colorScheme: "light" } });

page("keys go to pages, and not while something is typed", "#/features", async (page) => {
  await id(page, "search").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("gt?");
  assert.equal(await id(page, "search").inputValue(), "gt?");
  await page.getByRole("heading", { level: 1 }).click();
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("t");
  await heading(page, "Text");
  await headingFocused(page);
});

page("the help holds the focus and the keys, and gives the focus back", "#/features", async (page) => {
  const opener = page.getByRole("button", { name: "Keys" });
  await opener.click();
  await page.getByRole("dialog").waitFor();
  const theme = await page.locator("html").getAttribute("data-theme");
  for (const key of ["Tab", "Tab", "Tab", "j", "d", "g", "t"]) {
    await page.keyboard.press(key);
    assert.ok(await page.evaluate(() => document.activeElement.matches("body, dialog *")), `after ${key}`);
  }
  assert.equal(await page.locator("html").getAttribute("data-theme"), theme);
  assert.equal(await page.title(), "Features · csae explorer");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.ok(await opener.evaluate((opener) => opener === document.activeElement));
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await opener.click();
  await page.mouse.click(5, 5);
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

page("a bad address falls back and is told", "#/nowhere?min=much", async (page) => {
  await page.locator(".notice li").nth(1).waitFor();
  await heading(page, index.question);
});

const spoiled = (name, body, status) => ({ spoil: (asked) => (asked.endsWith(name) ? { body, status } : undefined), mayComplain: true });
page("a newer form is a sentence", "", (page) => problem(page, /form 99.*Use a newer explorer/s),
  spoiled("manifest.json", '{"schema":99}'));
page("a run of a newer form is a sentence", "", (page) => problem(page, /form 99/), spoiled("index.json", '{"schema":99}'));
page("a truncated file is a sentence, and trying again helps", "#/features", async (page) => {
  await problem(page, /damaged or not a file of csae/);
  site.spoil = () => undefined;
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("tbody tr").first().waitFor();
}, spoiled("index.json", '{"schema":1,"name":'));
page("a missing file is a sentence and the rest of the page works", "#/f/17", async (page) => {
  await problem(page, /the server says 404/);
  await page.getByRole("link", { name: "18" }).click();
  await page.locator(".places li").first().waitFor();
}, spoiled("f/17.json", "", 404));
page("no runs is a sentence", "", (page) => problem(page, /no runs yet/),
  spoiled("manifest.json", '{"schema":1,"made_by":"","runs":[]}'));
page("a feature that the run lacks is a sentence", "#/f/99999", (page) => problem(page, /no feature 99999/));
page("the largest number has no neighbour", "#/f/4294967295", async (page) => {
  await problem(page, /no feature 4294967295/);
  assert.equal(await page.locator(".neighbours a").count(), 0);
});
page("a run that the site lacks is a sentence", "#/?run=77", (page) => problem(page, /does not have that run/));

const notStarted = async (page, expected) => {
  await page.locator("#boot.failed").waitFor();
  assert.match(await page.locator("#boot").innerText(), expected);
  await page.locator("#plain h1").waitFor();
};
page("without WebAssembly the text stays and the reason is told", "", async (page) => {
  await page.addInitScript(() => { delete globalThis.WebAssembly; });
  await page.reload();
  await notStarted(page, /could not start the explorer: it has no WebAssembly/);
});
page("without the explorer's file the text stays and the reason is told, and no slow link is blamed", "", async (page) => {
  await page.clock.install();
  await page.reload();
  await notStarted(page, /could not start the explorer: .*the server says 500/);
  await page.clock.fastForward(9_000);
  assert.equal(await page.locator("#boot-line.slow").count(), 0);
}, { spoil: (name) => (/explorer.*wasm$/.test(name) ? { status: 500 } : undefined), mayComplain: true });
page("without scripts the text stays", "", async (page) => {
  assert.match(await page.locator("#plain").innerText(), /needs JavaScript and WebAssembly/);
}, { options: { javaScriptEnabled: false } });

const phone = { options: { viewport: { width: 390, height: 844 } } };
page("nothing overflows on a phone", "", async (page) => {
  for (const [fragment, ready] of [
    ["#/", "table.methods"], ["#/features", ".features tbody tr"], ["#/f/17", ".places li"], ["#/combinations", "tbody tr"],
    ["#/c/0", ".lead + .tiles"], ["#/text", ".strip button"], ["#/compare", "tbody tr"], ["#/about", ".prose"],
  ]) {
    await page.evaluate((fragment) => { location.hash = fragment; }, fragment);
    await page.locator(`main ${ready}`).first().waitFor();
    await page.waitForTimeout(200); // a long table comes bit by bit
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${fragment} is ${width} wide`);
  }
}, phone);
page("tables are sorted on a phone, too", "#/features", async (page) => {
  await page.locator("tbody tr").first().waitFor();
  await page.getByRole("button", { name: "Density" }).click({ timeout: 5_000 });
  await page.waitForFunction(() => location.hash.includes("sort=-density"));
  await page.evaluate(() => { location.hash = "#/combinations"; });
  await page.getByRole("button", { name: "Support" }).click({ timeout: 5_000 });
  await page.waitForFunction(() => location.hash.includes("sort=-support"));
  assert.equal(await page.getByRole("columnheader", { name: "Parts" }).filter({ visible: true }).count(), 0);
}, phone);
