import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { browserPackages } from "./ecosystem-kit.ts";
import { run } from "./support.ts";

/** The part of playwright-core that the suite uses. */
export interface BrowserPage {
  goto(url: string): Promise<{ status(): number } | null>;
  setContent(html: string): Promise<void>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(media: { colorScheme: "light" | "dark" }): Promise<void>;
  evaluate<T>(script: string): Promise<T>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  getByLabel(text: string): { fill(text: string): Promise<void>; inputValue(): Promise<string> };
  getByRole(role: string, options: { name: string }): { click(): Promise<void> };
  waitForLoadState(): Promise<void>;
  keyboard: { press(key: string): Promise<void> };
  title(): Promise<string>;
  url(): string;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "dialog", listener: (dialog: { message(): string; dismiss(): Promise<void> }) => void): void;
  on(event: "request", listener: (request: { url(): string; resourceType(): string }) => void): void;
  on(
    event: "response",
    listener: (response: { status(): number; request(): { resourceType(): string } }) => void,
  ): void;
}

interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: readonly string[] }): Promise<{
      newPage(options: { locale: string }): Promise<BrowserPage>;
      close(): Promise<void>;
    }>;
  };
}

/** A window, the last response in it, and all errors so far. */
export interface Window {
  readonly page: BrowserPage;
  status(): number;
  faults(): readonly string[];
}

/** A function that opens windows of headless Chromium, and the folder for their pictures. */
export async function openBrowser(
  context: TestContext,
): Promise<{ open: () => Promise<Window>; pictures: string; axe: string }> {
  const packages = await browserPackages();
  const { chromium }: Playwright = await import(pathToFileURL(join(packages, "playwright-core/index.mjs")).href);
  const browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ["--no-sandbox", "--disable-gpu"],
  });
  context.after(() => browser.close());
  const axe = readFileSync(join(packages, "axe-core/axe.min.js"), "utf8");
  const open = async (): Promise<Window> => {
    const page = await browser.newPage({ locale: "en-US" });
    const faults: string[] = [];
    let status = 0;
    page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
    page.on("dialog", (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      // Chromium reports an answer of 400 as an error too.
      if (!message.text().startsWith("Failed to load resource")) faults.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      if (request.resourceType() !== "document") faults.push(`loads ${request.url()}`);
    });
    page.on("response", (response) => {
      if (response.request().resourceType() === "document") status = response.status();
    });
    return { page, status: () => status, faults: () => faults };
  };
  return { open, axe, pictures: process.env["TSIGN_PICTURES"] ?? mkdtempSync(join(tmpdir(), "tsign-pages-")) };
}

/** Finds Chromium, or installs Debian's. */
async function findChromium(): Promise<string> {
  const find = () => run("sh", ["-c", "command -v chromium"], { cwd: "/" });
  let found = await find();
  if (found.code !== 0) {
    const install = "apt-get update && apt-get install -y --no-install-recommends chromium";
    const result = await run("sh", ["-c", install], { cwd: "/", env: { DEBIAN_FRONTEND: "noninteractive" } });
    assert.equal(result.code, 0, result.stderr);
    found = await find();
  }
  return found.stdout.trim();
}

const SIZES = { 390: 844, 1280: 800 };

/**
 * Checks a window's page at both widths, light and dark, and takes pictures of it.
 *
 * @param expected.scripts number of its scripts
 * @param expected.fullPage false for a picture of the window only: one of a very long page takes minutes
 */
export async function judge(
  { page, faults }: Window,
  name: string,
  by: { pictures: string; axe: string },
  { scripts = 0, fullPage = true } = {},
): Promise<void> {
  for (const [width, height] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"] as const) {
      const where = `${name}, ${width} pixels, ${colorScheme}`;
      await page.setViewportSize({ width: Number(width), height });
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(by.pictures, `${name}-${width}-${colorScheme}.png`), fullPage });
      const found: unknown[] = await page.evaluate(`${by.axe};
        axe.run(document, { resultTypes: ["violations", "incomplete"] }).then(({ violations, incomplete }) =>
          [...violations, ...incomplete].map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => html + " " + failureSummary)]))`);
      assert.deepEqual(found, [], where);
      const layout = await page.evaluate(`(() => {
        const seen = [...document.querySelectorAll("body *")].map((each) => each.getBoundingClientRect());
        const root = document.documentElement;
        return {
          overflow: Math.max(root.scrollWidth, ...seen.map(({ right }) => Math.ceil(right))) - root.clientWidth > 0,
          lowTargets: [...document.querySelectorAll("input:not([type=hidden]), button")]
            .filter((each) => each.getBoundingClientRect().height < 44).length,
          headings: document.querySelectorAll("h1").length,
          landmarks: [...document.querySelectorAll("body > *")].map((each) => each.localName).join(" "),
          language: root.lang,
          scripts: document.scripts.length + document.querySelectorAll("img, link, iframe, object, base").length,
        };
      })()`);
      const { landmarks, ...rest } = layout as { landmarks: string };
      const expected = { overflow: false, lowTargets: 0, headings: 1, language: "en", scripts };
      assert.deepEqual(rest, expected, where);
      assert.match(landmarks, /^header main( footer)?$/, where);
    }
  }
  await judgeFocus(page, name);
  assert.deepEqual(faults(), [], name);
}

/** Goes through a page with the Tab key, and checks that the focused element is visibly focused. */
async function judgeFocus(page: BrowserPage, name: string): Promise<void> {
  const wanted: number = await page.evaluate(`document.querySelectorAll("a, button, input:not([type=hidden])").length`);
  for (let index = 0; index < wanted; index++) {
    await page.keyboard.press("Tab");
    const style: string = await page.evaluate(`getComputedStyle(document.activeElement).outline`);
    assert.match(style, /solid 3px|3px solid/, `${name}: the focus of element ${index + 1} shows`);
  }
}
