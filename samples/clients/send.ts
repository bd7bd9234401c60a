// Sends one message over the 8x8 API and asks what became of it. Needs Node 20 or newer, and no package:
//
//   npx tsc --target es2022 --module nodenext send.ts
//   BASE_URL=http://127.0.0.1:8688 SUB_ACCOUNT=acme API_KEY_FILE=volley.key node send.js +6591234567 'Hello World!'

import { readFileSync } from "node:fs";
import { argv, env, exit } from "node:process";

interface Status {
    state: string;
    timestamp?: string;
    errorCode?: number;
    errorMessage?: string;
}

interface MessageAnswer {
    umid: string;
    clientMessageId?: string;
    status: Status;
}

interface ApiError {
    code: number;
    message?: string;
    errorId: string;
    timestamp: string;
}

const base = `${env.BASE_URL ?? "https://chatapps.8x8.com"}/api/v1/subaccounts/${env.SUB_ACCOUNT}`;
const key = readFileSync(env.API_KEY_FILE ?? "volley.key", "utf8").trim();

/** Makes one request, again if it came too early. Throws with the provider's code and message if it is refused. */
async function call<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(base + path, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
    });
    if (response.status === 429) {
        // Messages may be queried once a second for each subaccount.
        const seconds = Number(response.headers.get("retry-after") ?? 1);
        await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
        return call(method, path, body);
    }
    if (!response.ok) {
        const error = (await response.json()) as ApiError;
        throw new Error(`${response.status}: ${error.code} ${error.message ?? ""} (${error.errorId})`);
    }
    return (await response.json()) as Answer;
}

const [, , number, text] = argv;
if (!number || !text) {
    console.error("usage: send.js NUMBER TEXT");
    exit(2);
}
const sent = await call<MessageAnswer>("POST", "/messages", {
    user: { msisdn: number },
    type: "text",
    content: { text },
    channels: [{ channel: "SMS" }],
});
console.log(JSON.stringify(sent));
console.log(JSON.stringify(await call("GET", `/messages/${sent.umid}`)));
