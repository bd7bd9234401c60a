// Sends the messages of the queue. Usage: node worker.mjs REDIS_PORT SINK CONCURRENCY
//
// Prints "ready", and begins on SIGUSR2. A job's return value is the provider's id of the message. BullMQ stores it with
// the completed job, which stays in Redis. No retries, no rate limit, no receipts.
import { Worker } from "bullmq";
import { Redis } from "ioredis";
import { Pool } from "undici";

const [port, sink, concurrency] = process.argv.slice(2);
const connections = Number(concurrency);
// Node's own fetch made 4,300 messages/s instead of 9,100 (one run each, two processes).
const provider = new Pool(`http://${sink}`, { connections });
const path = "/api/v1/subaccounts/bench/messages";
const headers = {
    accept: "application/json",
    "content-type": "application/json",
    authorization: "Bearer bench",
};

// The same bytes that Volley sends.
function body({ id, msisdn, name, code }) {
    const parameters = [name, code].map((text) => ({ type: "text", text }));
    const components = [{ type: "body", parameters }];
    return JSON.stringify({
        user: { msisdn },
        clientMessageId: id,
        type: "template",
        content: { template: { name: "promo", language: "en", components } },
        channels: [{ channel: "WhatsApp" }],
    });
}

async function send(job) {
    const answer = await provider.request({ path, method: "POST", headers, body: body(job.data) });
    if (answer.statusCode !== 200) {
        throw new Error(`the provider answered ${answer.statusCode}: ${await answer.body.text()}`);
    }
    return (await answer.body.json()).umid;
}

const connection = new Redis({ port: Number(port), maxRetriesPerRequest: null });
const worker = new Worker("campaign", send, { connection, concurrency: connections, autorun: false });
worker.on("error", (error) => console.error(error));
worker.on("failed", (_, error) => console.error(error));
await worker.waitUntilReady();
process.once("SIGUSR2", () => worker.run());
// Keeps the process alive until the signal comes.
setInterval(() => {}, 60_000);
console.log("ready");
