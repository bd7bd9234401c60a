// The pages in a real browser: every page on a desktop, a phone and a wide screen, without a finding of axe.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, PHONE, WIDE, examine, fillIn, shared, signIn, visitor } from './visit.mjs';
import { PASSWORD } from './volley.mjs';

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
    await page.locator('tbody th a').first().click();
    await examine(page, `${device}-recipient`);
    await page.getByRole('link', { name: 'Opt out…' }).click();
    await examine(page, `${device}-opt-out`);
    await page.goBack();
    await page.goBack();
    await page.getByRole('link', { name: 'Replies' }).last().click();
    await examine(page, `${device}-campaign-replies`);
    await page.getByRole('link', { name: 'Report' }).click();
    await examine(page, `${device}-report`);
    const report = page.url();
    const campaign = report.slice(0, report.lastIndexOf('/'));
    for (const path of ['report/tables', 'report/share', 'again', 'use-again', 'change']) {
      await page.goto(`${campaign}/${path}`);
      await examine(page, `${device}-${path.replace('/', '-')}`);
    }
    await page.goto(report);
    await page.getByRole('link', { name: 'Events' }).last().click();
    await examine(page, `${device}-campaign-events`);
    await page.goto('/replies');
    await examine(page, `${device}-replies`);
    await page.goto('/opt-outs');
    await examine(page, `${device}-opt-outs`);
    await page.goto('/opt-outs/ids');
    await examine(page, `${device}-opt-outs-of-ids`);
    await page.goto('/opt-outs/add');
    await examine(page, `${device}-add-opt-outs`);
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
  await page.getByLabel('Number or your own id').fill(number);
  await page.getByRole('button', { name: 'Search' }).click();
  assert.equal(await page.locator('tbody tr').count(), 1);
  await shared.volley.run('campaign', 'cancel', 'By links');
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

