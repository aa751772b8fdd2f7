// Chromium for a test run, and what every page of it is watched for.

import { chromium } from "playwright-core";

const always = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"];

// With the graphics adapter that the processor imitates, unless `flags` say otherwise.
export async function open(flags = ["--enable-unsafe-webgpu"]) {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...always, ...flags] });
}

// A fresh page; `complaints` collects errors of scripts, of the console and of the security policy, and
// requests that leave the site.
export async function visit(browser, site, fragment, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith(site.address) && !/^(data|blob):/.test(address)) complaints.push(`leaves the site: ${address}`);
  });
  await page.goto(site.address + fragment);
  return { page, complaints, close: () => context.close() };
}

export const id = (page, name) => page.locator(`[data-testid="${name}"]`);

// A page moves the focus to its heading one frame after it came, so that is waited for.
export const headingFocused = (page) => page.waitForFunction(() => document.activeElement?.matches("main h1"));
