// A rater from consent to handing over, in the built explorer: by keyboard, through a killed browser, to
// `trainer ratings`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { execFile } from "node:child_process";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { headingFocused, id, open, visit } from "./browser.mjs";
import { serve } from "./serve.mjs";

const run = promisify(execFile);
const here = (path) => new URL(path, import.meta.url).pathname;
const dist = here("../../dist/");
const trainer = join(process.env.CARGO_TARGET_DIR ?? here("../../target"), "release/trainer");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const study = JSON.parse(await readFile(dist + "data/study/demo.json", "utf8"));
const key = JSON.parse(await readFile(here("../../tests/demo_study_key.json"), "utf8"));
const asked = study.blocks[0].items.length + study.blocks[0].repeats.length;
const address = "#/study?s=demo";
let browser, site, folder;

before(async () => {
  site = await serve(dist);
  browser = await open();
  folder = await mkdtemp(join(tmpdir(), "csae-study-"));
});
after(async () => {
  await browser?.close();
  site?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();
const begin = async (page) => {
  await id(page, "agree").check();
  await id(page, "start").click();
  await id(page, "begin").click();
  await heading(page, `Item 1 of ${asked}`);
  await headingFocused(page);
};
// Answers the item on the page by keys alone: the right line, clarity 4, sure.
async function answer(page, place) {
  await heading(page, `Item ${place} of ${asked}`);
  const lines = await page.locator(".questions .line .passage").allInnerTexts();
  const shown = study.items.find((item) => flat(item.lines[0].text) === flat(lines[0]));
  await page.keyboard.press("qwert"[key.items[shown.id].intruder - 1]);
  await page.keyboard.press(String(1 + (place % 5)));
  await page.keyboard.press("d");
  await page.keyboard.press("Enter");
}
const flat = (text) => text.replace(/[\s⏎␣]/g, "");
const saved = (page, told) => page.waitForFunction((told) => document.querySelector("[data-testid=saved]")?.innerText === told, told);
// Downloads the answers and reads their lines.
async function downloaded(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), id(page, "download").click()]);
  return { name: download.suggestedFilename(), lines: (await readFile(await download.path(), "utf8")).trim().split("\n") };
}
const savedCount = async (page) => Number(/^(\d+) answer/.exec(await id(page, "saved").innerText())?.[1] ?? 0);

// A browser with a folder of its own, which outlives its process.
async function launch(profile) {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"], viewport: { width: 1280, height: 900 }, acceptDownloads: true,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  return { context, page };
}
// The browser's main process, known by its folder.
async function processOf(profile) {
  const { stdout } = await run("ps", ["-eo", "pid=,args="]);
  const lines = stdout.split("\n").filter((line) => line.includes(`--user-data-dir=${profile}`) && !line.includes("--type="));
  return lines.map((line) => Number(line.trim().split(" ")[0]));
}

test("what was shown as saved survives a killed browser, and the trainer reads the file", async () => {
  const profile = join(folder, "profile");
  let { page } = await launch(profile);
  await page.goto(site.address + address);
  await begin(page);
  for (let place = 1; place <= 5; place++) await answer(page, place);
  await saved(page, "5 answers saved");
  const rated = await savedCount(page);
  const processes = await processOf(profile);
  assert.ok(processes.length > 0, "the browser's process is found");
  for (const one of processes) process.kill(one, "SIGKILL");
  await new Promise((ended) => page.context().browser()?.once("disconnected", ended) ?? page.once("close", ended));

  const again = await launch(profile);
  page = again.page;
  await page.goto(site.address + address);
  await id(page, "continue").waitFor();
  assert.match(await id(page, "return").innerText(), new RegExp(`has ${rated} of your ${asked} answers`));
  await id(page, "continue").click();
  for (let place = rated + 1; place <= asked; place++) await answer(page, place);
  await id(page, "difficulty-2").check();
  await page.getByRole("textbox").fill("it was\nfine");
  await id(page, "finish").click();
  await heading(page, "Thank you");
  const [download] = await Promise.all([page.waitForEvent("download"), id(page, "download").click()]);
  const file = join(folder, "answers", download.suggestedFilename());
  await download.saveAs(file);
  await id(page, "copy").click();
  const letters = await id(page, "letters").inputValue();
  const bytes = await readFile(file, "utf8");
  console.log(`${bytes.length} bytes as a file, ${letters.length} as letters`);

  const lines = bytes.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, asked + 2);
  assert.deepEqual(lines.at(-1), { kind: "end", n: asked, complete: true, difficulty: 2, comment: "it was fine" });
  assert.ok(lines.slice(1, -1).every((line) => line.keys === true && line.intruder === key.items[line.item].intruder));
  assert.doesNotMatch(bytes, /feature|combination|pca|random/);
  await page.reload();
  await heading(page, "Thank you");
  await again.context.close();
  await merged(file, letters);
});

// The file, the same as letters, a cut copy and a foreign file: one rater.
async function merged(file, letters) {
  await access(trainer);
  const answers = join(folder, "answers");
  await writeFile(join(answers, "pasted.txt"), `Hello,\n${letters}\nBye`);
  await writeFile(join(answers, "cut.txt"), letters.slice(0, 200));
  await writeFile(join(answers, "holiday.jpg"), Buffer.from([255, 216, 0, 1]));
  const out = join(folder, "merged");
  const call = ["ratings", `--study=${here("../../site/data/study/demo.json")}`, `--key=${here("../../tests/demo_study_key.json")}`, `--out=${out}`];
  const { stdout, stderr } = await run(trainer, [...call, answers]);
  console.log(stdout);
  assert.match(stdout, /4 files, 1 raters, 1 of them finished/);
  assert.match(stdout, /Krippendorff's alpha, clarity \(ordinal\): undefined/);
  assert.match(stderr, /refused: .*cut\.txt: the code was cut/);
  assert.match(stderr, /refused: .*holiday\.jpg: line 1: /);
  const table = await readFile(join(out, "ratings.csv"), "utf8");
  assert.equal(table.trim().split("\n").length, asked + 1);
  assert.doesNotMatch(table, new RegExp(JSON.parse((await readFile(file, "utf8")).split("\n")[0]).rater));
  const methods = await readFile(join(out, "by_method.csv"), "utf8");
  assert.match(methods, /^false,feature,\d+,(\d+),\1,0,1\.0000,/m);
}

// A page of a fresh visitor must have given no cause for complaint.
function page(name, look, options = {}, fragment = address) {
  test(name, async () => {
    const visited = await visit(browser, site, fragment, options);
    try {
      await look(visited.page, visited);
      assert.deepEqual(visited.complaints, []);
    } finally {
      await visited.close();
    }
  });
}

page("an item says nothing of methods, has no way out, and cannot be left half answered", async (page) => {
  await begin(page);
  assert.equal(await page.locator("header, nav, footer, main a").count(), 0);
  assert.doesNotMatch(await page.locator("body").innerText(), /feature|PCA|random|\bi\d\d\b/i);
  await page.keyboard.press("Enter");
  assert.match(await id(page, "open").innerText(), /which line does not belong, how clear the idea is, how sure you are/);
  await page.keyboard.press("w");
  await page.keyboard.press("3");
  await page.keyboard.press("Enter");
  assert.match(await id(page, "open").innerText(), /^Still open: how sure you are\.$/);
  await id(page, "label").focus();
  await page.keyboard.type("q5 words");
  assert.equal(await id(page, "label").inputValue(), "q5 words");
  assert.ok(await id(page, "line-2").isChecked());
  await id(page, "confidence-2").check();
  await page.keyboard.press("Enter");
  await heading(page, `Item 2 of ${asked}`);
  await headingFocused(page);
  await page.keyboard.press("Backspace");
  await heading(page, `Item 1 of ${asked}`);
  assert.ok(await id(page, "clarity-3").isChecked());
  await page.keyboard.press("4");
  await page.keyboard.press("Enter");
  await saved(page, "1 answer saved");
  await page.getByRole("button", { name: "Stop here" }).click();
  await heading(page, "You stopped");
  const lines = (await downloaded(page)).lines.map((line) => JSON.parse(line));
  assert.equal(lines.length, 2);
  assert.deepEqual([lines[1].clarity, lines[1].first_clarity, lines[1].intruder, lines[1].label], [4, 3, 2, "q5 words"]);
});

page("a label with a tab is kept", async (page) => {
  await begin(page);
  await id(page, "label").fill("one\ttwo");
  await id(page, "label").blur();
  await answer(page, 1);
  await saved(page, "1 answer saved");
  await page.reload();
  await heading(page, "Welcome back");
  await id(page, "continue").click();
  await page.keyboard.press("Backspace");
  assert.equal(await id(page, "label").inputValue(), "one two");
});

page("who stops at an item that is answered goes on at the first that is not", async (page) => {
  await begin(page);
  for (let place = 1; place <= 3; place++) await answer(page, place);
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Backspace");
  await heading(page, `Item 2 of ${asked}`);
  await page.getByRole("button", { name: "Stop here" }).click();
  await page.getByRole("button", { name: "Go on" }).click();
  await heading(page, `Item 4 of ${asked}`);
});

page("only a pointer counts as one, and a composition's Enter goes nowhere", async (page) => {
  await begin(page);
  await id(page, "line-1").focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("ArrowDown");
  assert.ok(await id(page, "line-2").isChecked());
  await page.keyboard.press("3");
  await page.keyboard.press("d");
  await id(page, "label").focus();
  await page.evaluate(() => {
    for (const how of [{ isComposing: true }, { keyCode: 229 }])
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, ...how }));
  });
  await heading(page, `Item 1 of ${asked}`);
  await page.keyboard.press("Enter");
  await heading(page, `Item 2 of ${asked}`);
  for (const key of "q3d") await page.keyboard.press(key);
  await id(page, "next").click();
  await heading(page, `Item 3 of ${asked}`);
  await page.getByRole("button", { name: "Stop here" }).click();
  const { lines } = await downloaded(page);
  assert.deepEqual(lines.slice(1).map((line) => JSON.parse(line).keys ?? false), [true, false]);
});

page("a browser that refuses locks still shows the study", async (page) => {
  await page.addInitScript(() => {
    LockManager.prototype.request = () => Promise.reject(new DOMException("denied", "SecurityError"));
  });
  await page.reload();
  await heading(page, "Taking part");
});

page("a tab does not wait for itself", async (page) => {
  await heading(page, "Taking part");
  await page.evaluate(() => (location.hash = "#/about"));
  await page.locator("header").waitFor();
  await page.goBack();
  await heading(page, "Taking part");
});

page("a second tab is told, and gets its turn", async (page) => {
  await begin(page);
  const other = await page.context().newPage();
  await other.goto(site.address + address);
  await id(other, "elsewhere").waitFor();
  // Who looks at another page meanwhile waits for the same turn.
  await other.evaluate(() => (location.hash = "#/about"));
  await other.locator("header").waitFor();
  await other.goBack();
  await id(other, "elsewhere").waitFor();
  await page.close();
  await heading(other, "Welcome back");
  await other.goto(site.address + "#/about");
  await other.locator("header").waitFor();
  await other.goBack();
  await heading(other, "Welcome back");
});

page("everything can be erased", async (page) => {
  await begin(page);
  await answer(page, 1);
  await saved(page, "1 answer saved");
  await page.getByRole("button", { name: "Stop here" }).click();
  await id(page, "erase").click();
  await id(page, "erase-really").click();
  await id(page, "erased").waitFor();
  assert.match(await page.locator("main").innerText(), /quote the id\s+[A-Z2-7]{26}/);
  await page.reload();
  await heading(page, "Taking part");
});

page("without a store it is said before the first item, and a copy is offered", async (page) => {
  await page.addInitScript(() => Object.defineProperty(window, "indexedDB", { get: () => undefined }));
  await page.reload();
  await id(page, "memory").waitFor();
  await heading(page, "Taking part");
  await begin(page);
  await answer(page, 1);
  assert.equal(await id(page, "saved").innerText(), "not saved");
  for (let place = 2; place <= asked / 2; place++) await answer(page, place);
  await id(page, "half").waitFor();
  assert.equal((await downloaded(page)).lines.length, 1 + Math.floor(asked / 2));
});

// Puts a line that is none among the answers.
const keepNoise = (page) =>
  page.evaluate(
    () =>
      new Promise((done) => {
        indexedDB.open("csae.study.demo").onsuccess = ({ target }) => {
          const writing = target.result.transaction("records", "readwrite");
          writing.objectStore("records").put("noise", "9");
          writing.oncomplete = () => done(target.result.close());
        };
      }),
  );

page("answers to an earlier version of the study are not continued", async (page) => {
  await begin(page);
  await answer(page, 1);
  await saved(page, "1 answer saved");
  site.spoil = (name) => (name.endsWith("demo.json") ? { body: JSON.stringify({ ...study, contact: "changed" }) } : undefined);
  try {
    await page.reload();
    await heading(page, "The study has changed");
    const kept = await downloaded(page);
    assert.match(kept.name, /^csae-demo-[A-Z2-7]{26}\.jsonl$/);
    assert.equal(JSON.parse(kept.lines[1]).pos, 1);
    await keepNoise(page);
    await page.reload();
    await heading(page, "The study has changed");
    assert.deepEqual((await downloaded(page)).lines, [...kept.lines, "noise"]);
    await id(page, "erase").click();
    await id(page, "erase-really").click();
    await heading(page, "Taking part");
  } finally {
    site.spoil = () => undefined;
  }
});

page("who does not agree leaves", async (page) => {
  assert.ok(await id(page, "start").isDisabled());
  await page.getByRole("button", { name: "No, leave" }).click();
  await heading(page, "Thank you anyway");
});

page("an address without a study is a sentence", async (page) => {
  await id(page, "problem").waitFor();
  assert.match(await id(page, "problem").innerText(), /names no study/);
}, {}, "#/study");
page("a block that is not there is a sentence", async (page) => {
  await id(page, "problem").waitFor();
  assert.match(await id(page, "problem").innerText(), /has no block 1;/);
}, {}, `${address}&block=1`);
test("a study that is not there is a sentence", async () => {
  const { page, close } = await visit(browser, site, "#/study?s=nowhere");
  await id(page, "problem").waitFor();
  assert.match(await id(page, "problem").innerText(), /no study called nowhere/);
  await close();
});

page("an item fits on a phone", async (page) => {
  await begin(page);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
}, { viewport: { width: 390, height: 844 } });

for (const theme of ["light", "dark"]) {
  test(`no violation that axe knows, ${theme}`, async () => {
    const { page, close } = await visit(browser, site, `${address}&theme=${theme}`, { bypassCSP: true });
    const check = async (stage) => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const told = violations.map(({ id, nodes }) => `${stage}: ${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
      assert.deepEqual(told, []);
    };
    await heading(page, "Taking part");
    await check("consent");
    await id(page, "agree").check();
    await id(page, "start").click();
    await heading(page, "How it works");
    await check("instructions");
    await id(page, "begin").click();
    await answer(page, 1);
    await page.keyboard.press("Enter");
    await page.keyboard.press("q");
    await page.keyboard.press("5");
    await heading(page, `Item 2 of ${asked}`);
    await check("item");
    await page.getByRole("button", { name: "Stop here" }).click();
    await heading(page, "You stopped");
    await id(page, "copy").click();
    await id(page, "erase").click();
    await check("finish");
    await page.getByRole("button", { name: "Go on" }).click();
    for (let place = 2; place <= asked; place++) await answer(page, place);
    await heading(page, "Two last questions");
    await check("closing");
    await close();
  });
}
