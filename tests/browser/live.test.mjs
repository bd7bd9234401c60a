// What changes while a page is open: a running campaign, a session that ends, a server that restarts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, examine, fillIn, shared, signIn, visitor } from './visit.mjs';
import { serve } from './volley.mjs';

test('a live page changes by itself, and pause and resume give it other buttons', async (t) => {
  const { id } = await shared.volley.launch('Live');
  const page = await visitor(t);
  await signIn(page);
  await page.goto(`/campaigns/${id}`);
  await examine(page, 'desktop-running');
  // The focus stays where it is when the part around it is replaced.
  const focused = page.locator('#live a').first();
  await focused.focus();
  const reached = await page.locator('#live .tile').first().innerText();
  await page.waitForFunction((before) => document.querySelector('#live .tile').innerText !== before, reached, { timeout: 30_000 });
  assert.ok(await focused.evaluate((link) => link === document.activeElement), 'the focus is lost');
  // Another operator pauses it.
  await shared.volley.run('campaign', 'pause', 'Live');
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  await examine(page, 'desktop-paused');
  // The page hears of its own decision before the answer comes: what was done is said all the same.
  const other = await page.context().newPage();
  await other.goto(`/campaigns/${id}`);
  await page.route('**/resume', async (route) => {
    const answer = await route.fetch({ maxRedirects: 0 });
    await other.getByRole('button', { name: 'Pause' }).waitFor();
    await other.close();
    await route.fulfill({ response: answer });
  });
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('status').getByText('No message that was submitted is sent again.').waitFor();
  // What was done is said once, not above a state that another operator has changed.
  await shared.volley.run('campaign', 'pause', 'Live');
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  assert.equal(await page.getByText('No message that was submitted is sent again.').count(), 0);
  await page.getByText('More', { exact: true }).click();
  await page.getByRole('link', { name: 'Cancel…' }).click();
  await examine(page, 'desktop-cancel');
  await page.getByLabel('Reason').fill('the wrong <b>list</b>');
  await page.getByRole('button', { name: 'Cancel the campaign' }).click();
  await page.getByText('by mia (the wrong <b>list</b>)').or(page.getByText('by mia: the wrong <b>list</b>')).first().waitFor();
  // The last receipts come, and then the page changes no more.
  await page.waitForFunction(() => !document.querySelector('[data-live]'), null, { timeout: 30_000 });
  await examine(page, 'desktop-cancelled');
});

test('a live page connects again by itself when the server is back, and shows what happened meanwhile', async (t) => {
  const server = await serve();
  t.after(() => server.stop());
  const page = await visitor(t, { ...DESKTOP, baseURL: server.url });
  await page.goto('/campaigns/Waiting');
  await fillIn(page);
  await page.getByRole('button', { name: 'Pause' }).waitFor();
  await page.waitForFunction(() => document.querySelector('#live-state').hidden || document.querySelector('#live-state').innerText === '');
  await server.kill();
  await page.getByText('The connection is lost; connecting again…').waitFor();
  await server.run('campaign', 'pause', 'Waiting', '--reason', 'while the server was down');
  await server.begin();
  await page.getByRole('button', { name: 'Resume' }).waitFor({ timeout: 30_000 });
  await page.getByText('paused by an operator: while the server was down').last().waitFor();
});

test('a session that ends while a page is open leads to the sign-in and back', async (t) => {
  const page = await visitor(t);
  await signIn(page, 'rio');
  await page.goto('/campaigns');
  await shared.volley.run('operator', 'disable', 'rio');
  await shared.volley.run('operator', 'enable', 'rio');
  await page.getByRole('link', { name: 'Spring promo' }).click();
  await fillIn(page, 'rio');
  await page.getByRole('heading', { name: 'Spring promo' }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'Cancel…' }).count(), 0, 'an operator who only reads has no buttons');
});
