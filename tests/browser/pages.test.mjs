// The pages in a real browser: every page on a desktop and on a phone, without a finding of axe, and what only a browser does.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { PASSWORD, start } from './volley.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// Pictures of every page, to look at.
const pictures = new URL('../../target/pages/', import.meta.url).pathname;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const DESKTOP = { viewport: { width: 1280, height: 900 }, colorScheme: 'light' };
const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: 'dark', hasTouch: true };
const WIDE = { viewport: { width: 2200, height: 1200 }, colorScheme: 'dark' };

let volley;
let browser;

before(async () => {
  await mkdir(pictures, { recursive: true });
  volley = await start();
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  // Chromium has no sandbox for root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  browser = await chromium.launch({ executablePath, args });
});

after(async () => {
  await browser?.close();
  await volley?.stop();
});

/** A browser of its own, which fails the test if a page reports an error. */
async function visitor(t, options = DESKTOP) {
  const context = await browser.newContext({ timezoneId: 'Asia/Singapore', reducedMotion: 'reduce', baseURL: volley.url, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    // The answer to a wrong password is 401, which a browser logs.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) errors.push(message.text());
  });
  t.after(() => assert.deepEqual(errors, []));
  return page;
}

async function signIn(page, name = 'mia') {
  await page.goto('/sign-in');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Running now' }).waitFor();
}


async function examine(page, what) {
  await page.screenshot({ path: `${pictures}${what}.png`, fullPage: true });
  await page.evaluate(axe);
  const found = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
  const findings = found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${what}: ${id} at ${node.target}`));
  assert.deepEqual(findings, []);
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(tooWide, 0, `${what} is ${tooWide} px too wide`);
}

for (const [device, options] of [['desktop', DESKTOP], ['phone', PHONE], ['wide', WIDE]]) {
  test(`every page is accessible and fits on ${device}`, async (t) => {
    const page = await visitor(t, options);
    await page.goto('/');
    await examine(page, `${device}-sign-in`);
    await page.getByLabel('Name').fill('mia');
    await page.getByLabel('Password').fill('a wrong password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await examine(page, `${device}-sign-in-refused`);
    await signIn(page);
    await examine(page, `${device}-home`);
    await page.getByRole('link', { name: 'Campaigns', exact: true }).first().click();
    await examine(page, `${device}-campaigns`);
    await page.getByRole('link', { name: 'Spring promo' }).click();
    await examine(page, `${device}-campaign`);
    await page.getByRole('link', { name: 'Recipients' }).click();
    await examine(page, `${device}-recipients`);
    await page.getByRole('link', { name: 'What happened' }).first().click();
    await examine(page, `${device}-message`);
    await page.goBack();
    await page.getByRole('link', { name: 'Report' }).click();
    await examine(page, `${device}-report`);
    await page.getByRole('link', { name: 'Events' }).last().click();
    await examine(page, `${device}-campaign-events`);
    await page.goto('/lanes');
    await examine(page, `${device}-lanes`);
    await page.goto('/events');
    await examine(page, `${device}-events`);
    await page.goto('/find?whom=%2B000');
    await examine(page, `${device}-nothing-found`);
    await page.goto('/campaigns/unknown');
    await examine(page, `${device}-unknown`);
  });
}

test('a live page changes by itself, and pause and resume give it other buttons', async (t) => {
  const { id } = await volley.launch('Live');
  const page = await visitor(t);
  await signIn(page);
  await page.goto(`/campaigns/${id}`);
  await examine(page, 'desktop-running');
  const reached = await page.locator('#live .tile').first().innerText();
  await page.waitForFunction((before) => document.querySelector('#live .tile').innerText !== before, reached, { timeout: 30_000 });
  // Another operator pauses it.
  await volley.run('campaign', 'pause', 'Live');
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  await examine(page, 'desktop-paused');
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('status').getByText('No message that was submitted is sent again.').waitFor();
  await page.getByRole('link', { name: 'Cancel…' }).click();
  await examine(page, 'desktop-cancel');
  await page.getByLabel('Reason').fill('the wrong <b>list</b>');
  await page.getByRole('button', { name: 'Cancel the campaign' }).click();
  await page.getByText('by mia (the wrong <b>list</b>)').or(page.getByText('by mia: the wrong <b>list</b>')).first().waitFor();
  await examine(page, 'desktop-cancelled');
});

test('without scripts, an operator signs in, finds a recipient, pauses and resumes', async (t) => {
  const { id } = await volley.launch('By links');
  const page = await visitor(t, { ...DESKTOP, javaScriptEnabled: false });
  await page.goto(`/campaigns/${id}`);
  await page.getByLabel('Name').fill('mia');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'By links' }).waitFor();
  await page.getByText('This page does not update itself.').waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('link', { name: 'Recipients' }).click();
  const number = await page.locator('tbody th').first().innerText();
  await page.getByLabel('Number or your own id').fill(number);
  await page.getByRole('button', { name: 'Search' }).click();
  assert.equal(await page.locator('tbody tr').count(), 1);
  await volley.run('campaign', 'cancel', 'By links');
});

test('the keyboard alone signs in and reaches the content', async (t) => {
  const page = await visitor(t);
  await page.goto('/sign-in');
  await page.keyboard.type('mia');
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Running now' }).waitFor();
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to the content' });
  assert.ok(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().top >= 0));
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
});

test('a session that ends while a page is open leads to the sign-in and back', async (t) => {
  const page = await visitor(t);
  await signIn(page, 'rio');
  await page.goto('/campaigns');
  await volley.run('operator', 'disable', 'rio');
  await volley.run('operator', 'enable', 'rio');
  await page.getByRole('link', { name: 'Spring promo' }).click();
  await page.getByLabel('Name').fill('rio');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Spring promo' }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'Cancel…' }).count(), 0, 'an operator who only reads has no buttons');
});

test('times are those of the browser, and another zone is chosen in the menu', async (t) => {
  const page = await visitor(t);
  await signIn(page);
  await page.goto('/events');
  assert.match(await page.locator('time').first().innerText(), /\+08$/);
  await page.locator('.who summary').click();
  await examine(page, 'desktop-menu');
  await page.getByLabel('Show times in').fill('Asia/Kolkata');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.goto('/events');
  assert.match(await page.locator('time').first().innerText(), /\+05:30$/);
});

for (const [device, options] of [['desktop', DESKTOP], ['phone', PHONE], ['by-links', { ...DESKTOP, javaScriptEnabled: false }]]) {
  test(`a messy spreadsheet becomes a campaign of three steps, on ${device}`, async (t) => {
    const page = await visitor(t, options);
    const look = options.javaScriptEnabled === false ? async () => {} : (what) => examine(page, `${device}-new-${what}`);
    await page.goto('/sign-in');
    await page.getByLabel('Name').fill('mia');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.goto('/campaigns');
    await page.getByRole('button', { name: 'New campaign' }).click();
    await look('recipients');
    await page.getByLabel('Country of numbers').fill('SG');
    await page.getByLabel('Recipient file').setInputFiles(new URL('../../samples/recipients.xlsx', import.meta.url).pathname);
    await page.getByRole('button', { name: 'Upload and import' }).click();
    await page.getByRole('heading', { name: 'Columns' }).waitFor();
    await look('check');
    await page.getByRole('button', { name: 'Save and go on' }).click();
    await page.getByLabel('Channel').selectOption('WhatsApp');
    await page.getByRole('button', { name: 'Add a step' }).click();
    await page.getByRole('button', { name: 'Add a step' }).click();
    await page.getByLabel('Falls back after').nth(0).fill('15m');
    await page.getByLabel('Falls back after').nth(1).fill('soon');
    await page.getByRole('button', { name: 'Save and go on' }).click();
    await page.getByRole('link', { name: 'Route' }).click();
    await page.getByText('is not a length of time').waitFor();
    await look('route-wrong');
    await page.getByLabel('Falls back after').nth(1).fill('10m');
    await page.getByRole('button', { name: 'Save and go on' }).click();
    await page.getByLabel('Name of the template').fill('promo');
    await page.getByLabel('Language').fill('en');
    await page.getByLabel('Category').selectOption('MARKETING');
    await page.getByLabel('Values of the body').fill('{{FirstName|there}}\n{{Code}}');
    const texts = page.getByLabel('Text', { exact: true });
    if (options.javaScriptEnabled === false) {
      await texts.nth(1).fill('Hi {{FirstName|there}}');
    } else {
      await texts.nth(1).fill('Hi ');
      await page.locator('.chip', { hasText: 'FirstName' }).click();
    }
    await texts.nth(2).fill('Your code is {{Code}}.');
    await page.getByRole('button', { name: 'Save and preview' }).click();
    await page.locator('.bubble.sms').first().waitFor();
    await look('content');
    await page.getByRole('button', { name: 'Save and go on' }).click();
    await look('time');
    await page.getByRole('button', { name: 'Save and go on' }).click();
    await page.getByRole('heading', { name: 'Launch' }).waitFor();
    await look('review');
    await page.getByLabel('Your numbers').fill('+6591230000');
    await page.getByRole('button', { name: 'Send the test' }).click();
    await page.getByText('1 recipient', { exact: false }).first().waitFor();
    await page.goto('/campaigns');
    await page.getByRole('heading', { name: 'Being written' }).waitFor();
    await page.getByRole('link', { name: 'recipients' }).first().click();
    await page.getByRole('link', { name: 'Review and launch' }).click();
    await page.getByLabel('Name of the campaign').fill(`Promo ${device}`);
    await page.getByRole('button', { name: /^Launch to/ }).click();
    await page.getByText('The campaign is launched.').waitFor();
    await look('launched');
  });
}

test('an upload that broke off goes on where it stopped', async (t) => {
  const page = await visitor(t);
  await signIn(page);
  await page.goto('/campaigns');
  await page.getByRole('button', { name: 'New campaign' }).click();
  const rows = Array.from({ length: 400_000 }, (_, n) => `+65${80_000_000 + n},Name ${n},${'x'.repeat(20)}`);
  const file = { name: 'large.csv', mimeType: 'text/csv', buffer: Buffer.from(['Mobile,Name,Filler', ...rows].join('\n')) };
  await page.getByLabel('Recipient file').setInputFiles(file);
  let parts = 0;
  await page.route('**/v1/uploads/*', async (route) => {
    if (route.request().method() === 'PATCH' && ++parts === 2) return route.abort();
    return route.continue();
  });
  const offsets = [];
  page.on('request', (request) => { if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset'])); });
  await page.getByRole('button', { name: 'Upload and import' }).click();
  await page.getByText('The upload broke off.').waitFor();
  await page.getByRole('button', { name: 'Upload and import' }).click();
  await page.getByRole('heading', { name: 'Columns' }).waitFor({ timeout: 60_000 });
  assert.equal(new Set(offsets).size, offsets.length - 1, `only the part that broke off is sent again: ${offsets}`);
});
