// A demonstration that runs for the tests: a server, the practice provider and a campaign that has ended.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const volley = process.env.VOLLEY ?? new URL('../../target/debug/volley', import.meta.url).pathname;
export const PASSWORD = 'correct horse battery';

/** Starts a demonstration, with an operator of each kind. */
export async function start() {
  const folder = await mkdtemp(join(tmpdir(), 'volley-'));
  const config = join(folder, 'volley.toml');
  const demo = spawn(volley, ['demo', '--stay', '--data', folder, '--recipients', '1000'], { stdio: ['ignore', 'ignore', 'pipe'] });
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
  // If a command below fails, the demonstration does not outlive the tests.
  process.once('exit', () => demo.kill('SIGKILL'));
  const run = (...args) => promisify(execFile)(volley, ['--config', config, ...args]);
  await writeFile(join(folder, 'password'), PASSWORD);
  const password = ['--password-file', join(folder, 'password')];
  await run('operator', 'create', 'mia', '--scope', 'read', '--scope', 'manage', ...password);
  await run('operator', 'create', 'ben', '--scope', 'read', '--scope', 'manage', ...password);
  await run('operator', 'create', 'ada', '--scope', 'admin', ...password);
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

/** A port that nobody listens on. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a server of its own that can be killed and begun again. Its campaign waits: its provider does not answer. */
export async function serve() {
  const folder = await mkdtemp(join(tmpdir(), 'volley-'));
  const [port, nobody] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const config = join(folder, 'volley.toml');
  await writeFile(config, `[database]
url = "sqlite://${join(folder, 'volley.db')}"
[server]
listen = "127.0.0.1:${port}"
[provider]
base_url = "http://127.0.0.1:${nobody}"
sub_account = "tests"
api_key = "tests"
[[lane]]
name = "sms"
channel = "SMS"
source = "tests"
`);
  await writeFile(join(folder, 'password'), PASSWORD);
  await writeFile(join(folder, 'waiting.toml'), `name = "Waiting"
numbers = ["+6591230000"]
[[step]]
channel = "SMS"
text = "Hello."
`);
  const run = (...args) => promisify(execFile)(volley, ['--config', config, ...args]);
  await run('operator', 'create', 'mia', '--scope', 'read', '--scope', 'manage', '--password-file', join(folder, 'password'));
  await run('campaign', 'launch', join(folder, 'waiting.toml'), '--unchecked');
  let serving;
  let ended;
  const server = {
    url,
    run,
    async begin() {
      serving = spawn(volley, ['--config', config, 'serve'], { stdio: 'ignore' });
      ended = new Promise((resolve) => serving.once('exit', resolve));
      const isReady = async () => (await fetch(`${url}/healthz`).catch(() => null))?.ok ?? false;
      while (!(await isReady())) {
        if (serving.exitCode !== null) throw new Error(`the server ended with ${serving.exitCode}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async kill() {
      serving.kill('SIGKILL');
      await ended;
    },
    async stop() {
      await server.kill();
      await rm(folder, { recursive: true });
    },
  };
  await server.begin();
  return server;
}
