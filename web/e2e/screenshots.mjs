// Pictures of every page, light, dark and on a phone, to be looked at: node screenshots.mjs FOLDER

import { mkdir } from "node:fs/promises";
import { open, visit } from "./browser.mjs";
import { serve } from "./serve.mjs";

const folder = process.argv[2] ?? "screenshots";
await mkdir(folder, { recursive: true });
const site = await serve(new URL("../../dist/", import.meta.url).pathname);
const browser = await open();
const pages = { overview: "#/", features: "#/features", feature: "#/f/17", combinations: "#/combinations", combination: "#/c/5", text: "#/text?at=20", compare: "#/compare", about: "#/about", problem: "#/f/99999" };
for (const [name, fragment] of Object.entries(pages)) {
  for (const [kind, options] of Object.entries({
    light: { colorScheme: "light" },
    dark: { colorScheme: "dark" },
    phone: { colorScheme: "light", viewport: { width: 390, height: 844 } },
  })) {
    const { page, close } = await visit(browser, site, fragment, options);
    await page.locator("main h1").first().waitFor();
    await page.waitForTimeout(700);
    // Long tables are cut: what matters is above.
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    const width = page.viewportSize().width;
    await page.screenshot({ path: `${folder}/${name}-${kind}.png`, fullPage: true, clip: { x: 0, y: 0, width, height: Math.min(height, 2200) } });
    await close();
  }
}
await browser.close();
site.stop();
