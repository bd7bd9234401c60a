// Operators, keys, webhooks and the audit log in a real browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, PHONE, examine, signIn, visitor } from './visit.mjs';
import { PASSWORD } from './volley.mjs';

for (const [device, options] of [['desktop', DESKTOP], ['phone', PHONE]]) {
  test(`an admin manages access on ${device}`, async (t) => {
    const page = await visitor(t, options);
    await signIn(page, 'ada');
    await page.goto('/keys/new');
    await page.locator('#name').fill(`shop-${device}`);
    await page.getByRole('button', { name: 'Create the key' }).click();
    await page.getByText('without a scope may do nothing').waitFor();
    await examine(page, `${device}-new-key`);
    await page.locator('input[name=scope][value=read]').check();
    await page.getByRole('button', { name: 'Create the key' }).click();
    assert.match(await page.locator('#secret').innerText(), /^vk_[0-9a-f]{16}_/);
    await page.getByRole('button', { name: 'Copy' }).waitFor();
    await examine(page, `${device}-secret`);
    await page.reload();
    await page.getByText('Volley shows a secret only once.').waitFor();
    await page.goto('/keys');
    await examine(page, `${device}-keys`);
    await page.getByRole('link', { name: `Revoke shop-${device}` }).click();
    await examine(page, `${device}-revoke`);
    await page.getByRole('button', { name: 'Revoke the key' }).click();
    await page.getByText('The key is revoked.').waitFor();

    await page.goto('/operators');
    await examine(page, `${device}-operators`);
    await page.goto('/operators/new');
    await examine(page, `${device}-new-operator`);
    await page.goto('/password');
    await examine(page, `${device}-password`);

    await page.goto('/webhooks/new');
    await page.locator('#name').fill(`crm-${device}`);
    await page.locator('#url').fill('https://crm.invalid/hooks');
    await page.locator('summary', { hasText: /^message$/ }).click();
    await page.locator('input[value="message.*"]').check();
    await examine(page, `${device}-new-webhook`);
    await page.getByRole('button', { name: 'Create the webhook' }).click();
    await page.getByRole('link', { name: `crm-${device}` }).click();
    await page.getByRole('button', { name: 'Send a test' }).click();
    await examine(page, `${device}-delivery`);
    await page.getByRole('link', { name: `crm-${device}` }).click();
    await examine(page, `${device}-webhook`);
    await page.goto('/webhooks');
    await examine(page, `${device}-webhooks`);
    await page.goto('/audit-log?who=ada');
    await examine(page, `${device}-audit-log`);
  });
}

test('an operator who reads changes the own password without scripts', async (t) => {
  const page = await visitor(t, { ...DESKTOP, javaScriptEnabled: false });
  await signIn(page, 'rio');
  await page.locator('details.who summary').click();
  await page.getByRole('link', { name: 'Change password' }).click();
  const change = async (present, password) => {
    await page.getByLabel('Current password').fill(present);
    await page.getByLabel('New password', { exact: true }).fill(password);
    await page.getByLabel('New password again').fill(password);
    await page.getByRole('button', { name: 'Change password' }).click();
  };
  await change('a wrong password', 'another horse battery');
  await page.getByText('This is not your current password.').waitFor();
  await change(PASSWORD, 'another horse battery');
  await page.getByText('Your password is changed.').waitFor();
  await change('another horse battery', PASSWORD);
  await page.getByText('Your password is changed.').waitFor();
});
