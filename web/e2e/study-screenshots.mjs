// Pictures of the study's pages, light, dark and on a phone: node study-screenshots.mjs FOLDER

import { mkdir } from "node:fs/promises";
import { id, open, visit } from "./browser.mjs";
import { serve } from "./serve.mjs";

const folder = process.argv[2] ?? "screenshots";
await mkdir(folder, { recursive: true });
const site = await serve(new URL("../../dist/", import.meta.url).pathname);
const browser = await open();
for (const [kind, options] of Object.entries({
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 } },
})) {
  const { page, close } = await visit(browser, site, "#/study?s=demo", options);
  const shoot = async (name) => page.screenshot({ path: `${folder}/study-${name}-${kind}.png`, fullPage: true });
  await id(page, "agree").check();
  await shoot("consent");
  await id(page, "start").click();
  await id(page, "begin").waitFor();
  await shoot("instructions");
  await id(page, "begin").click();
  await id(page, "next").waitFor();
  await shoot("item");
  const all = Number(/of (\d+)/.exec(await page.locator("h1").innerText())[1]);
  for (let place = 1; place <= all; place++) {
    await page.getByRole("heading", { name: `Item ${place} of ${all}` }).waitFor();
    if (place === 4) await shoot("answered");
    for (const key of ["w", "4", "s"]) await page.keyboard.press(key);
    if (place === 4 || place === all / 2 + 1) await shoot(place === 4 ? "chosen" : "half");
    await page.keyboard.press("Enter");
  }
  await id(page, "finish").waitFor();
  await shoot("closing");
  await id(page, "finish").click();
  await id(page, "copy").click();
  await id(page, "letters").waitFor();
  await shoot("finish");
  await page.reload();
  await id(page, "download").waitFor();
  await close();
}
await browser.close();
site.stop();
