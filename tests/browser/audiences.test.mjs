// Audiences in Chromium: a file is uploaded, its rejected rows are corrected, and they join a campaign.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, PHONE, examine, fillIn, visitor } from './visit.mjs';

const rows = (...more) => Buffer.from(['Mobile,First name', ...more, ''].join('\n'));
const file = (name, ...more) => ({ name, mimeType: 'text/csv', buffer: rows(...more) });

for (const [device, options] of Object.entries({ desktop: DESKTOP, phone: PHONE, 'no-script': { ...DESKTOP, javaScriptEnabled: false } })) {
  test(`rejected rows are corrected and join a campaign, on ${device}`, async (t) => {
    const page = await visitor(t, options);
    const look = options.javaScriptEnabled === false ? async () => {} : (what) => examine(page, `${device}-${what}`);
    const name = `Members ${device}`;
    await page.goto('/sign-in');
    await fillIn(page);
    await page.goto('/audiences');
    const field = page.getByLabel('Recipient file');
    if (!(await field.isVisible())) await page.getByText('New audience').click();
    await page.getByLabel('Country of numbers').selectOption('SG');
    await field.setInputFiles(file(`${name}.csv`, '+6591234567,Ann', '9123 456,<b>Eve</b>', ',Nobody', '+6591234567,Twice'));
    await page.getByRole('button', { name: 'Upload and import' }).click();
    // Not that of the import, which ends with the name of the file.
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await look('audience');
    await page.goto('/audiences');
    await look('audiences');
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('link', { name: 'Correct these rows' }).click();
    await look('rejected');
    await page.goto(`/audiences/${encodeURIComponent(name)}/delete`);
    await look('audience-delete');
    await page.getByRole('link', { name: 'Keep it' }).click();
    await page.getByRole('button', { name: 'Use in a new campaign' }).click();
    await page.getByRole('link', { name: '1 rejected row: too short' }).click();
    await page.getByLabel('Number in line 3').fill('9123 4568');
    await page.getByRole('button', { name: 'Import corrected rows' }).click();
    await page.getByRole('link', { name: `${name}, corrected` }).waitFor();
    await look('new-check-two');
    await page.getByRole('link', { name: 'Change the audiences' }).click();
    await look('new-recipients-two');
    await page.getByRole('button', { name: `Remove ${name}, corrected` }).click();
    await page.getByRole('button', { name: `Add ${name}, corrected` }).waitFor();
    assert.equal(await page.getByRole('button', { name: /^Remove/ }).count(), 1);
    // A corrected file is another way.
    await page.goto(`/audiences/${encodeURIComponent(name)}/rejected`);
    await page.getByLabel('Corrected file').setInputFiles(file('rejected.csv', '+6591234570,Eve'));
    await page.getByRole('button', { name: 'Upload and import' }).click();
    await page.getByRole('heading', { name: `${name}, corrected 2` }).waitFor();
  });
}
