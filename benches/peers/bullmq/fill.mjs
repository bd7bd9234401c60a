// Adds the messages of a campaign to the queue. Usage: node fill.mjs REDIS_PORT MESSAGES
import { Queue } from "bullmq";
import { Redis } from "ioredis";

const [port, messages] = process.argv.slice(2).map(Number);
const connection = new Redis({ port, maxRetriesPerRequest: null });
const queue = new Queue("campaign", { connection });

const PIECE = 1_000;
for (let first = 0; first < messages; first += PIECE) {
    const jobs = [];
    for (let n = first; n < Math.min(first + PIECE, messages); n++) {
        const data = {
            id: `att_${n.toString(16).padStart(32, "0")}`,
            msisdn: `+659${String(n).padStart(7, "0")}`,
            name: `Name ${n}`,
            code: `CODE${n}`,
        };
        jobs.push({ name: "send", data });
    }
    await queue.addBulk(jobs);
}
await queue.close();
connection.disconnect();
