// Compares a page with the picture of it that is kept beside the tests.
//
// What differs from run to run is made equal before: digits, ids, and the widths of bars. A picture has a quarter of the page's
// size, so it shows where things are, and not how a letter is drawn. BLESS=1 writes the pictures anew.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';

const kept = new URL('./pictures/', import.meta.url).pathname;
const docs = new URL('../../docs/pictures/', import.meta.url).pathname;
/** Pages that the documentation shows. Their pictures are taken whenever the kept ones are. */
const SHOWN = ['desktop-home', 'desktop-campaign', 'desktop-message', 'desktop-new-content', 'desktop-new-review'];
/** The part of the pixels that may differ, and the part of the height: some lists differ by a line. */
const PIXELS = 0.02;
const HEIGHT = 0.03;

/** Makes equal what differs from run to run. */
export function steady() {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const text = node.data.replace(/\b[0-9a-z]*\d[0-9a-z]{11,}\b/g, (id) => 'x'.repeat(id.length)).replace(/\d/g, '0');
    if (text !== node.data) node.data = text;
  }
  for (const part of document.querySelectorAll('.bar rect:not(.ground), .chart *')) part.setAttribute('visibility', 'hidden');
}

async function taken(page, scale) {
  const devtools = await page.context().newCDPSession(page);
  const { width, height } = await page.evaluate(() => ({ width: document.documentElement.clientWidth, height: document.documentElement.scrollHeight }));
  const { data } = await devtools.send('Page.captureScreenshot', { captureBeyondViewport: true, clip: { x: 0, y: 0, width, height, scale } });
  await devtools.detach();
  return Buffer.from(data, 'base64');
}

/** Takes a picture for the documentation, if it shows this page. */
export async function show(page, what) {
  if (process.env.BLESS && SHOWN.includes(what)) await page.screenshot({ path: `${docs}${what.replace('desktop-', '')}.png` });
}

/** Fails if the page looks different. The page is not usable afterwards: its numbers are gone. */
export async function compare(page, what, folder) {
  await page.evaluate(steady);
  const picture = await taken(page, 0.25);
  const file = `${kept}${what}.png`;
  if (process.env.BLESS) {
    return writeFile(file, picture);
  }
  const [is, was] = [PNG.sync.read(picture), PNG.sync.read(await readFile(file))];
  const said = `${what} looks different: compare tests/browser/pictures/${what}.png with target/pages/${what}.small.png; if that is intended, run again with BLESS=1`;
  await writeFile(`${folder}${what}.small.png`, picture);
  assert.equal(is.width, was.width, said);
  assert.ok(Math.abs(is.height - was.height) <= 2 + was.height * HEIGHT, `${said} (${was.height} → ${is.height} pixels high)`);
  const [width, height] = [is.width, Math.min(is.height, was.height)];
  const differ = pixelmatch(is.data.subarray(0, 4 * width * height), was.data.subarray(0, 4 * width * height), null, width, height, { threshold: 0.2 });
  const part = differ / (width * height);
  assert.ok(part <= PIXELS, `${said} (${(100 * part).toFixed(1)} % of its pixels)`);
}
