// The pages in a real browser: every page on a desktop, a phone and a wide screen, without a finding of axe.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, PHONE, WIDE, examine, shared, signIn, visitor } from './visit.mjs';
import { PASSWORD } from './volley.mjs';

// Pages whose pictures are compared: they look alike in every run, but for their numbers.
const STILL = ['home', 'campaigns', 'recipients', 'recipient', 'report', 'tables', 'share', 'again', 'use-again', 'change', 'replies', 'opt-outs',
  'add-opt-outs', 'lanes', 'templates', 'prices', 'doctor', 'operators', 'keys', 'new-key', 'webhooks', 'new-webhook', 'password', 'nothing-found', 'unknown'];

const PAGES = {
  home: '/', campaigns: '/campaigns', written: '/new', calendar: '/calendar', audiences: '/audiences', replies: '/replies',
  'opt-outs': '/opt-outs', 'add-opt-outs': '/opt-outs/add', lanes: '/lanes', templates: '/templates',
  prices: '/prices', events: '/events', doctor: '/doctor', settings: '/settings', operators: '/operators', 'new-operator': '/operators/new',
  keys: '/keys', 'new-key': '/keys/new', webhooks: '/webhooks', 'new-webhook': '/webhooks/new', 'audit-log': '/audit-log',
  password: '/password', 'nothing-found': '/find?whom=%2B000', unknown: '/campaigns/unknown',
};

const OF_CAMPAIGN = {
  campaign: '', plan: '/plan', recipients: '/recipients', 'campaign-replies': '/replies', report: '/report', 'report-tables': '/report/tables',
  share: '/report/share', again: '/again', 'use-again': '/use-again', change: '/change', 'campaign-events': '/events',
};

for (const [device, options] of [['desktop', DESKTOP], ['phone', PHONE], ['wide', WIDE]]) {
  test(`every page is accessible and fits on ${device}`, async (t) => {
    const page = await visitor(t, options);
    const wrong = [];
    const look = async (what) => examine(page, `${device}-${what}`, STILL.includes(what)).catch((error) => wrong.push(error.message));
    await page.goto('/');
    await look('sign-in');
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('a wrong password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await look('sign-in-refused');
    await signIn(page, 'ada');
    for (const [what, path] of Object.entries(PAGES)) {
      await page.goto(path);
      await look(what);
    }
    await page.goto('/campaigns');
    await page.getByRole('link', { name: 'Spring promo' }).click();
    const campaign = page.url();
    for (const [what, path] of Object.entries(OF_CAMPAIGN)) {
      await page.goto(`${campaign}${path}`);
      await look(what);
    }
    await page.goto(`${campaign}/report/tables`);
    const count = page.getByRole('button', { name: 'Count now' });
    if (await count.count() > 0) await count.click();
    await page.getByRole('heading', { name: 'By country', exact: true }).waitFor();
    await look('tables');
    await page.goto(`${campaign}/recipients?outcome=missed`);
    await look('missed');
    await page.locator('tbody th a').first().click();
    await look('message');
    await page.getByText('Rules, ids and recorded facts').click();
    await look('message-details');
    await page.getByRole('link', { name: 'Everything about' }).click();
    await look('recipient');
    await page.getByRole('link', { name: 'Opt out…' }).click();
    await look('opt-out');
    assert.deepEqual(wrong, []);
  });
}

test('without scripts, an operator signs in, finds a recipient, pauses and resumes', async (t) => {
  const { id } = await shared.volley.launch('By links');
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
  await page.getByLabel('Number, or id from the file').fill(number);
  await page.getByRole('button', { name: 'Search' }).click();
  assert.equal(await page.locator('tbody tr').count(), 1);
  await shared.volley.run('campaign', 'cancel', 'By links');
});

test('the keyboard alone signs in and reaches the content', async (t) => {
  const page = await visitor(t);
  await page.goto('/sign-in');
  await page.waitForFunction(() => document.activeElement.id === 'name');
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
  const menu = page.locator('.who');
  await menu.locator('summary').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.ok(await page.getByLabel('Show times in').evaluate((field) => field === document.activeElement));
  await page.keyboard.press('Escape');
  assert.ok(await menu.evaluate((menu) => !menu.open && menu.querySelector('summary') === document.activeElement));
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

