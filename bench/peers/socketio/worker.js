// The worker whose clients are socket.io-client. What it says and hears: bench/peers/base.py.
//   node worker.js PLAN
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const AT_ONCE = 8;
const PROGRESS_EVERY = 500;
const plan = JSON.parse(readFileSync(process.argv.at(-1), "utf8"));
const own = plan.side[0];
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const sent = {};
const received = {};
const greeted = new Set();
const lines = [];
let allGreeted;
const greetings = new Promise((resolve) => (allGreeted = resolve));

// Nanoseconds since the machine began fit into a double for 104 days.
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const now = () => Number(process.hrtime.bigint());
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const key = (session, number) => `${own}${session}-${number}`;
const text = (name) => `${name} `.padEnd(plan.size, ".");

function random(seed) {
  // mulberry32: small, seeded, and good enough for gaps between messages.
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
const dice = random(plan.seed);

function connect(session) {
  const { host, port } = plan.site;
  const socket = io(`https://${host}:${port}`, {
    transports: ["websocket"],
    forceNew: true,
    rejectUnauthorized: false,
    query: { room: String(session) },
  });
  lines[session] = socket;
  socket.on("message", (message) => {
    const at = now();
    const found = message.split(" ", 1)[0];
    if (found.startsWith(own)) return;
    greeted.add(session);
    if (greeted.size === plan.sessions) allGreeted();
    if (!found.endsWith("-0")) received[found] ??= at; // No greeting.
  });
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
}

async function talk(session) {
  const mean = 1000 / plan.rate;
  await wait(dice() * mean);
  for (let number = 1; number <= plan.messages; number += 1) {
    const name = key(session, number);
    const body = text(name);
    sent[name] = now();
    lines[session].emit("message", body);
    await wait((0.5 + dice()) * mean);
  }
}

async function hear(word) {
  const { value } = await words.next();
  if (value !== word) throw new Error(`expected ${word}, heard ${value}`);
}

for (let first = 0; first < plan.sessions; first += AT_ONCE) {
  const batch = Array.from({ length: Math.min(AT_ONCE, plan.sessions - first) }, (_, i) => first + i);
  await Promise.all(batch.map(connect));
}
say("joined");
if (plan.side === "shopper") lines.forEach((socket, session) => socket.emit("message", text(key(session, 0))));
else await greetings;
say("ready");
await hear("go");
const progress = setInterval(() => say({ received: Object.keys(received).length }), PROGRESS_EVERY);
for (let session = 0; session < plan.sessions; session += 1) void talk(session);
await hear("stop");
clearInterval(progress);
process.stdout.write(`${JSON.stringify({ sent, received })}\n`, () => process.exit(0));
