// A demonstration that runs for the tests: a server, the practice provider and a campaign that has ended.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const volley = process.env.VOLLEY ?? new URL('../../target/debug/volley', import.meta.url).pathname;
export const PASSWORD = 'correct horse battery';

/** Starts a demonstration, with an operator of each kind. */
export async function start() {
  const folder = await mkdtemp(join(tmpdir(), 'volley-'));
  const config = join(folder, 'volley.toml');
  const demo = spawn(volley, ['demo', '--stay', '--data', folder, '--recipients', '300'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => demo.once('exit', resolve));
  const url = await new Promise((resolve, reject) => {
    let said = '';
    demo.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      const address = /server on (http:\/\/[^,]+),/.exec(said);
      if (address && said.includes('The server runs until Ctrl-C')) resolve(address[1]);
    });
    ended.then((code) => reject(new Error(`the demonstration ended with ${code}:\n${said}`)));
  });
  const run = (...args) => promisify(execFile)(volley, ['--config', config, ...args]);
  await writeFile(join(folder, 'password'), PASSWORD);
  const password = ['--password-file', join(folder, 'password')];
  await run('operator', 'create', 'mia', '--scope', 'read', '--scope', 'manage', ...password);
  await run('operator', 'create', 'rio', '--scope', 'read', ...password);
  return {
    url,
    run,
    /** Launches a campaign whose messages begin over ten minutes, so that it runs while a test looks at it. */
    async launch(name) {
      const file = join(folder, 'slow.toml');
      await writeFile(file, `name = ${JSON.stringify(name)}
audience = "recipients.xlsx"
over = "10m"
[[step]]
channel = "SMS"
text = "Hi {{FirstName|there}}."
`);
      return JSON.parse((await run('campaign', 'launch', file, '--json')).stdout);
    },
    async stop() {
      demo.kill('SIGINT');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}
