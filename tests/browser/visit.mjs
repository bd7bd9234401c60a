// Browsers that visit the pages, and what every page must be: accessible, and no wider than its screen.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { compare, show } from './pictures.mjs';
import { PASSWORD, start } from './volley.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// Pictures of every page, to look at.
const pictures = new URL('../../target/pages/', import.meta.url).pathname;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
export const DESKTOP = { viewport: { width: 1280, height: 900 }, colorScheme: 'light' };
export const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true };
export const WIDE = { viewport: { width: 2200, height: 1200 }, colorScheme: 'dark' };

/** What the tests of a file share: a demonstration, and a browser. */
export const shared = {};

before(async () => {
  await mkdir(pictures, { recursive: true });
  shared.volley = await start();
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  // Chromium has no sandbox for root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  shared.browser = await chromium.launch({ executablePath, args });
});

after(async () => {
  await shared.browser?.close();
  await shared.volley?.stop();
});

/** Closes a context. Once in a long while Chromium does not answer that; the browser itself always closes, after the tests. */
const closed = (context) => Promise.race([context.close(), new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);

/** A browser of its own, which fails the test if a page reports an error. */
export async function visitor(t, options = DESKTOP) {
  const context = await shared.browser.newContext({ timezoneId: 'Asia/Singapore', reducedMotion: 'reduce', baseURL: shared.volley.url, ...options });
  t.after(() => closed(context));
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    // The answer to a wrong password is 401, which a browser logs; so it does when a server is gone.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) errors.push(message.text());
  });
  t.after(() => assert.deepEqual(errors, []));
  return page;
}

export async function signIn(page, name = 'mia') {
  await page.goto('/sign-in');
  await fillIn(page, name);
  await page.getByRole('heading', { name: 'Running now' }).waitFor();
}

/** Fills in the page on which an operator signs in. */
export async function fillIn(page, name = 'mia') {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Keeps a picture of a page, and checks what every page must be. With `still`, the picture must look as it did. */
export async function examine(page, what, still = false) {
  await page.screenshot({ path: `${pictures}${what}.png`, fullPage: true });
  await show(page, what);
  await page.evaluate(axe);
  const found = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
  const findings = found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${what}: ${id} at ${node.target}`));
  assert.deepEqual(findings, []);
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(tooWide, 0, `${what} is ${tooWide} px too wide`);
  if (still) await compare(page, what, pictures);
}
