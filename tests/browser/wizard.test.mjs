// The pages on which a campaign is written, from an upload to its launch.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DESKTOP, PHONE, examine, fillIn, shared, signIn, visitor } from './visit.mjs';

for (const [device, options] of [['desktop', DESKTOP], ['phone', PHONE], ['by-links', { ...DESKTOP, javaScriptEnabled: false }]]) {
  test(`a messy spreadsheet becomes a campaign of three steps, on ${device}`, async (t) => {
    const page = await visitor(t, options);
    const look = options.javaScriptEnabled === false ? async () => {} : (what) => examine(page, `${device}-new-${what}`);
    await page.goto('/sign-in');
    await fillIn(page);
    await page.goto('/campaigns');
    await page.getByRole('button', { name: 'New campaign' }).click();
    await look('recipients');
    await page.getByLabel('Country of numbers').selectOption('SG');
    await page.getByLabel('Recipient file').setInputFiles(new URL('../../samples/recipients.xlsx', import.meta.url).pathname);
    await page.getByRole('button', { name: 'Upload and import' }).click();
    await page.getByRole('heading', { name: 'Columns' }).waitFor();
    await look('check');
    await page.getByRole('button', { name: 'Save and continue' }).click();
    await page.getByLabel('Channel').selectOption('WhatsApp');
    await page.getByRole('button', { name: 'Add a step' }).click();
    await page.getByRole('button', { name: 'Add a step' }).click();
    await page.getByLabel('Falls back after').nth(0).fill('15m');
    await page.getByLabel('Falls back after').nth(1).fill('soon');
    await page.getByRole('button', { name: 'Save and continue' }).click();
    await page.getByRole('link', { name: 'Route' }).click();
    await page.getByText('is not a length of time').waitFor();
    await look('route-wrong');
    await page.getByLabel('Falls back after').nth(1).fill('10m');
    await page.getByRole('button', { name: 'Save and continue' }).click();
    await page.getByLabel('Template', { exact: true }).selectOption('promo|en|MARKETING');
    if (options.javaScriptEnabled === false) await page.getByRole('button', { name: 'Show its fields' }).click();
    await page.getByLabel('Web address of the image').fill('https://media.example/spring-1.jpg');
    await page.getByLabel('Value of {{1}}').fill('{{FirstName|there}}');
    await page.getByLabel('Value of {{2}}').fill('{{Code}}');
    await page.getByLabel('End of the link').fill('{{Slug}}');
    const texts = page.getByLabel('Text', { exact: true });
    if (options.javaScriptEnabled === false) {
      await texts.nth(0).fill('Hi {{FirstName|there}}');
    } else {
      await texts.nth(0).fill('Hi ');
      await page.locator('.chip', { hasText: 'FirstName' }).click();
    }
    await texts.nth(1).fill('Your code is {{Code}}.');
    if (options.javaScriptEnabled !== false) {
      // The link to another step saves what was typed.
      await page.getByRole('link', { name: 'Time and limits' }).click();
      await page.getByLabel('Time zone').waitFor();
      await page.getByRole('link', { name: '4 Content' }).click();
    }
    await page.getByRole('button', { name: 'Save and preview' }).click();
    await page.locator('.bubble.sms').first().waitFor();
    await page.getByText('the spring collection is here', { exact: false }).first().waitFor();
    await look('content');
    await page.getByRole('button', { name: 'Save and continue' }).click();
    await look('time');
    await page.getByRole('button', { name: 'Save and continue' }).click();
    await page.getByRole('heading', { name: 'Launch' }).waitFor();
    await look('review');
    await page.getByLabel('Your numbers').fill('+6591230000');
    await page.getByRole('button', { name: 'Send the test' }).click();
    await page.getByRole('link', { name: /^See what became of it/ }).click();
    await page.getByText('1 recipient', { exact: false }).first().waitFor();
    await page.getByRole('link', { name: 'Back to the unfinished campaign' }).click();
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

/** Begins a campaign with a recipient file, and waits until the file is imported. */
async function begin(page, name, rows, header = 'Mobile,Name') {
  await page.goto('/campaigns');
  await page.getByRole('button', { name: 'New campaign' }).click();
  await page.getByLabel('Recipient file').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from([header, ...rows].join('\n')) });
  await page.getByRole('button', { name: 'Upload and import' }).click();
  await page.getByRole('heading', { name: 'Columns' }).waitFor();
}

test('of two operators on one campaign, the second is told who was faster, and loses nothing', async (t) => {
  const [mia, ben] = [await visitor(t), await visitor(t)];
  await signIn(mia);
  await signIn(ben, 'ben');
  await begin(mia, 'two.csv', ['+6591110001,Ann']);
  const route = mia.url().replace(/\/[a-z]+$/, '/route');
  await mia.goto(route);
  await ben.goto(route);
  await mia.getByLabel('Channel').selectOption('SMS');
  await mia.getByRole('button', { name: 'Save and continue' }).click();
  await mia.getByLabel('Text', { exact: true }).waitFor();
  await ben.getByLabel('Channel').selectOption('Viber');
  await ben.getByRole('button', { name: 'Save and continue' }).click();
  await ben.getByText('mia').first().waitFor();
  await examine(ben, 'desktop-new-second-operator');
  await mia.goto(route);
  assert.equal(await mia.getByLabel('Channel').inputValue(), 'SMS', 'what the first has saved stays');
});

test('a step is dragged to another place, with what was typed, and a text is counted while it is written', async (t) => {
  const page = await visitor(t);
  await signIn(page);
  await begin(page, 'drag.csv', ['+6591110001,Ann']);
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.getByLabel('Channel').selectOption('SMS');
  await page.getByRole('button', { name: 'Add a step' }).click();
  await page.getByLabel('Channel').nth(1).selectOption('Viber');
  await page.getByLabel('Falls back after').fill('20m');
  const grip = await page.locator('.grip').nth(1).boundingBox();
  const first = await page.locator('[data-step="1"]').boundingBox();
  await page.mouse.move(grip.x + 5, grip.y + 5);
  await page.mouse.down();
  await page.mouse.move(first.x + 10, first.y + 10, { steps: 8 });
  await page.mouse.up();
  await page.waitForURL('**/route#step-1');
  const channels = await page.getByLabel('Channel').evaluateAll((all) => all.map((choice) => choice.value));
  assert.deepEqual(channels, ['Viber', 'SMS']);
  await page.getByLabel('Falls back after').fill('15m');
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.getByLabel('Text', { exact: true }).nth(1).fill('\u0142'.repeat(71));
  await page.getByText('2 parts, 71 characters in UCS-2').waitFor();
  await examine(page, 'desktop-new-counts');
});

test('cells that are HTML, formulas and directions stay text, from the upload to the download', async (t) => {
  const page = await visitor(t);
  const elsewhere = [];
  page.on('request', (request) => { if (!request.url().startsWith(shared.volley.url)) elsewhere.push(request.url()); });
  const image = '<img src="http://evil.example/x" onerror="window.hacked = 1">';
  const formula = '=HYPERLINK("http://evil.example/y","click")';
  const reversed = '\u202Egpj.exe';
  const quoted = (cell) => `"${cell.replaceAll('"', '""')}"`;
  const harmless = async () => {
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.deepEqual(elsewhere, []);
  };
  await signIn(page);
  await begin(page, '<b onclick=x>hostile.csv', [
    `+6591110001,${quoted(image)}`, `+6591110002,${quoted(formula)}`, `+6591110003,${quoted(reversed)}`, `${quoted(image)},nobody`,
  ], `Mobile,Name,${quoted('<script>window.hacked = 1</script>')}`);
  await page.getByText(image.slice(0, 30)).first().waitFor();
  await examine(page, 'desktop-hostile-check');
  await harmless();
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.getByLabel('Channel').selectOption('SMS');
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.getByLabel('Text', { exact: true }).fill('Hi {{Name}}!');
  await page.getByRole('button', { name: 'Save and preview' }).click();
  await page.locator('.bubble', { hasText: image }).waitFor();
  await page.locator('.bubble', { hasText: formula }).waitFor();
  await examine(page, 'desktop-hostile-content');
  await harmless();
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.getByRole('button', { name: 'Save and continue' }).click();
  await page.getByLabel('Name of the campaign').fill('<i>Hostile</i>');
  await page.getByRole('button', { name: /^Launch to/ }).click();
  await page.getByText('The campaign is launched.').waitFor();
  await page.getByRole('heading', { name: '<i>Hostile</i>' }).waitFor();
  await harmless();
  const campaign = page.url().split('?')[0];
  for (const part of ['recipients', 'report', 'events', 'replies']) {
    await page.goto(`${campaign}/${part}`);
    await harmless();
  }
  await page.goto(`${campaign}/recipients`);
  await page.locator('tbody th a').first().click();
  await page.getByRole('heading', { name: 'What happened' }).waitFor();
  await harmless();
});
