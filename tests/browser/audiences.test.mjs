// Audiences in Chromium: a file is uploaded, its rejected rows are corrected, and they join a campaign.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, PHONE, examine, fillIn, shared, visitor } from './visit.mjs';

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
    await page.getByText('without the 1 that was corrected').waitFor();
    await look('new-check-corrected');
    await page.getByRole('link', { name: 'Change the audiences' }).click();
    await page.getByRole('button', { name: `Remove ${name}` }).click();
    await page.getByRole('button', { name: `Add ${name}` }).waitFor();
    assert.equal(await page.getByRole('button', { name: /^Remove/ }).count(), 0);
    // A corrected file is another way.
    await page.goto(`/audiences/${encodeURIComponent(name)}/rejected`);
    assert.equal(await page.getByLabel('Number in line 3').count(), 0);
    await page.getByLabel('Corrected file').setInputFiles(file('rejected.csv', '+6591234570,Eve'));
    await page.getByRole('button', { name: 'Upload and import' }).click();
    await page.getByText('The file is imported.').waitFor();
  });

  test(`numbers without a country are asked about before they are stored, on ${device}`, async (t) => {
    const page = await visitor(t, options);
    const look = options.javaScriptEnabled === false ? async () => {} : (what) => examine(page, `${device}-${what}`);
    const name = `Local ${device}`;
    await page.goto('/sign-in');
    await fillIn(page);
    await page.goto('/audiences');
    const field = page.getByLabel('Recipient file');
    if (!(await field.isVisible())) await page.getByText('New audience').click();
    await field.setInputFiles(file(`${name}.csv`, '91234567,Ann', '+6591234568,Ben', '91234569,Cay'));
    await page.getByRole('button', { name: 'Upload and import' }).click();
    await page.getByText('2 of 3 rows have a number without a country code.').waitFor();
    await look('ask-country');
    await page.getByLabel('Country of numbers').selectOption('SG');
    await page.getByRole('button', { name: 'Import' }).click();
    await page.getByRole('heading', { name, exact: true }).waitFor();
  });

  test(`what was typed survives the end of a session, on ${device}`, async (t) => {
    const page = await visitor(t, options);
    const look = options.javaScriptEnabled === false ? async () => {} : (what) => examine(page, `${device}-${what}`);
    const { id } = await shared.volley.launch(`Slow ${device}`);
    await page.goto('/sign-in');
    await fillIn(page);
    await page.goto(`/campaigns/${id}/change`);
    await page.getByLabel('Name of the campaign').fill(`Renamed ${device}`);
    await page.context().clearCookies();
    await page.getByLabel('Name of the campaign').press('Enter');
    await page.getByText('Your session has ended.').waitFor();
    await look('session-ended');
    await fillIn(page);
    await page.getByRole('heading', { name: 'What you typed was not sent' }).waitFor();
    await look('kept');
    await page.getByRole('button', { name: 'Send it', exact: true }).click();
    await page.getByRole('heading', { name: `Renamed ${device}` }).waitFor();
  });
}
