/**
 * A small Tradewind server in memory: the real state machine, the smallest honest chat behind it, and
 * switches for everything that goes wrong. Time is vitest's.
 */

import type { Platform, Signal } from "../../../src/core/client/platform.ts";
import type { Carrier, CarrierEvents, Connect, Opener } from "../../../src/core/net/carrier.ts";
import { MemoryStore } from "../../../src/core/state/storage.ts";
import type { Deliver, Frame, Hello, Queued, Refused, Send, WireMap } from "../../../src/core/wire/frames.ts";
import { Machine } from "../../../src/core/wire/machine.ts";
import { fromWire, toBytes, uuid7 } from "../../../src/core/wire/uuid.ts";

const CONNECT: Connect = {
  version: 1,
  head_start: 300,
  webtransport: { url: "https://chat.test/v1/live", certificate_hashes: [] },
  websocket: { url: "wss://chat.test/v1/live" },
};

export const VISITOR = "v:0190b3a0-7c4e-7d3a-9b1e-0a1b2c3d4e5f";
export const AGENT = "a:0190b3a0-7c4e-7d3a-9b1e-ffffffffffff";

/** One session, the server's end of it. */
export class Peer {
  readonly machine: Machine;
  readonly transport: Carrier["name"];
  readonly frames: Frame[] = [];
  me = "";
  #events: CarrierEvents | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #server: FakeServer;

  constructor(server: FakeServer, transport: Carrier["name"], maxDatagram: number | null) {
    this.#server = server;
    this.transport = transport;
    this.machine = new Machine("server", performance.now(), { maxDatagram });
  }

  carrier(maxDatagram: number | null): Carrier {
    return {
      name: this.transport,
      maxDatagram,
      start: (events) => {
        this.#events = events;
      },
      send: ({ via, data }) => {
        queueMicrotask(() => {
          if (this.#server.blackhole) return;
          for (const frame of this.machine.receive(via, data, performance.now())) this.#server.take(this, frame);
          this.pump();
        });
      },
      close: (code, reason) => {
        this.#events = null;
        this.machine.lost(code, reason);
        this.pump();
      },
    };
  }

  send(frame: Frame): void {
    this.machine.send(frame, performance.now());
    this.pump();
  }

  /** The server ends the session with a code. */
  close(code: number): void {
    this.machine.close(code, "test", performance.now());
    this.pump();
  }

  /** The connection vanishes. */
  cut(): void {
    const events = this.#events;
    this.#events = null;
    this.machine.lost();
    this.pump();
    queueMicrotask(() => events?.ended(1006, "cut"));
  }

  pump(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    for (const { via, data } of this.machine.poll(now)) {
      if (!this.#server.blackhole) queueMicrotask(() => this.#events?.received(via, data));
    }
    if (this.machine.closed !== null) {
      this.#server.peers.delete(this);
      return;
    }
    const next = this.machine.nextTimer();
    if (next !== null) this.#timer = setTimeout(() => this.pump(), Math.max(next - now, 0));
  }
}

export class FakeServer {
  readonly peers = new Set<Peer>();
  readonly hellos: Hello[] = [];
  readonly requests: string[] = [];
  readonly bodies: unknown[] = [];
  readonly log = new Map<string, Deliver[]>();
  epoch = 1;
  /** What each transport does when somebody comes. */
  webtransport: "open" | "refuse" | "hang" = "open";
  websocket: "open" | "refuse" | "hang" = "open";
  /** Milliseconds until WebTransport is connected. */
  slow = 0;
  blackhole = false;
  /** How often entries are answered twice, refused, or not at all. */
  onSend: ((send: Send) => Refused | Queued | "silent" | null) | null = null;
  validTokens: Set<string> | null = null;
  /** HTTP status for REST instead of an answer. */
  restStatus = 200;

  /** A browser; several share a store to be tabs of one, or one after a reload. */
  platform(local = new MemoryStore()): Platform & { signal(signal: Signal): void } {
    let listener: (signal: Signal) => void = () => undefined;
    return {
      local,
      tab: new MemoryStore(),
      fetch: ((url: string, init: RequestInit) => this.#rest(url, init)) as typeof fetch,
      webtransport: () => this.#opener("webtransport", 1169),
      websocket: () => this.#opener("websocket", null),
      random: () => 0.5,
      online: () => true,
      page: () => "https://shop.test/",
      listen: (heard) => {
        listener = heard;
        return () => {
          listener = () => undefined;
        };
      },
      signal: (signal) => listener(signal),
    };
  }

  get peer(): Peer {
    const peer = [...this.peers].at(-1);
    if (peer === undefined) throw new Error("nobody is connected");
    return peer;
  }

  /** Appends an entry and delivers it to everybody. */
  append(conversation: string, author: string, kind: string, body: WireMap, clientId = uuid7()): Deliver {
    const entries = this.log.get(conversation) ?? [];
    const entry: Deliver = {
      type: "deliver",
      conversation,
      epoch: this.epoch,
      seq: entries.length + 1,
      author,
      clientId,
      kind,
      body,
      at: Date.now(),
    };
    this.log.set(conversation, [...entries, entry]);
    for (const peer of this.peers) if (peer.machine.state === "live") peer.send(entry);
    return entry;
  }

  texts(conversation: string): unknown[] {
    return (this.log.get(conversation) ?? []).filter(({ kind }) => kind === "message").map(({ body }) => body.text);
  }

  take(peer: Peer, frame: Frame): void {
    peer.frames.push(frame);
    if (frame.type === "hello") this.#hello(peer, frame);
    else if (frame.type === "send") this.#send(peer, frame);
    else if (frame.type === "read") this.append(frame.conversation, peer.me, "read", { seq: frame.seq });
    else if (frame.type === "call")
      peer.send({ type: "result", id: frame.id, value: this.#call(frame.method, frame.params) });
  }

  #hello(peer: Peer, hello: Hello): void {
    this.hellos.push(hello);
    if (this.validTokens !== null && !this.validTokens.has(hello.token)) {
      peer.close(4100);
      return;
    }
    peer.me = hello.token.startsWith("agent") ? AGENT : VISITOR;
    const replay: Deliver[] = [];
    const resumed = hello.resume.map(({ conversation, epoch, seq }) => {
      const entries = this.log.get(conversation);
      const recovered = entries !== undefined && (epoch === this.epoch || epoch === 0) && entries.length - seq <= 500;
      if (recovered) replay.push(...entries.slice(seq));
      return { conversation, epoch: this.epoch, head: entries?.length ?? 0, recovered };
    });
    peer.send({
      type: "welcome",
      version: 1,
      session: uuid7(),
      me: peer.me,
      now: Date.now(),
      heartbeat: 25_000,
      resumed,
      state: {
        shop: { id: "demo", name: "Demo", settings: { color: "#123456" } },
        agents: [{ id: AGENT, name: "Ada" }],
        conversations: [...this.log.keys()].map((id) => this.#summary(id)),
        people: [{ who: VISITOR, state: "online", detail: { transport: "webtransport" } }],
      },
    });
    for (const entry of replay) peer.send(entry);
  }

  #send(peer: Peer, send: Send): void {
    const answer = this.onSend?.(send) ?? null;
    if (answer === "silent") return;
    if (answer !== null) {
      peer.send(answer);
      return;
    }
    const { clientId, conversation, kind, body } = send;
    const known = this.log.get(conversation)?.find((entry) => entry.clientId === clientId);
    const { epoch, seq, at } = known ?? this.append(conversation, peer.me, kind, body, clientId);
    peer.send({ type: "accepted", clientId, conversation, epoch, seq, at });
  }

  #call(method: string, params: WireMap): WireMap {
    if (method === "inbox") return { conversations: [...this.log.keys()].map((id) => this.#summary(id)), cursor: null };
    if (method === "search") return this.#search(String(params.query), params.cursor, Number(params.limit));
    const id = fromWire(params.conversation) ?? "";
    if (method === "summary") return this.#summary(id);
    const { before, after, limit } = params as { before: number | null; after: number | null; limit: number };
    const all = this.log.get(id) ?? [];
    const range = all.filter(({ seq }) => seq < (before ?? Number.POSITIVE_INFINITY) && seq > (after ?? 0));
    const page = after === null ? range.slice(-limit) : range.slice(0, limit);
    return {
      entries: page.map((entry) => [
        toBytes(entry.conversation),
        entry.epoch,
        entry.seq,
        entry.author,
        toBytes(entry.clientId),
        entry.kind,
        entry.body,
        entry.at,
      ]),
      epoch: this.epoch,
      head: all.length,
      more: range.length > page.length,
    };
  }

  /** Messages with the word, newest first; the cursor counts those that were given. */
  #search(query: string, cursor: unknown, limit: number): WireMap {
    const from = Number(cursor ?? 0);
    const all = [...this.log.values()].flat().filter(({ body }) => String(body.text ?? "").includes(query));
    const found = all.reverse().slice(from, from + limit);
    return {
      hits: found.map(({ conversation, seq, author, kind, at, body }) => ({
        conversation: toBytes(conversation),
        seq,
        author,
        kind,
        at,
        excerpt: ["", query, String(body.text).slice(query.length)],
      })),
      visitors: [],
      conversations: [...new Set(found.map(({ conversation }) => conversation))].map((id) => this.#summary(id)),
      cursor: from + limit < all.length ? String(from + limit) : null,
    };
  }

  #summary(id: string): WireMap {
    const entries = this.log.get(id) ?? [];
    const last = entries.findLast(({ kind }) => kind === "message");
    return {
      id: toBytes(id),
      visitor: { id: VISITOR, name: "Visitor" },
      status: "open",
      assignee: null,
      epoch: this.epoch,
      head: entries.length,
      last: last && { seq: last.seq, author: last.author, kind: last.kind, text: last.body.text, at: last.at },
      unread: 0,
      reads: {},
      rating: null,
      presence: { state: "online", transport: "webtransport" },
      created_at: 1,
      updated_at: last?.at ?? 1,
    };
  }

  #opener(name: "webtransport" | "websocket", maxDatagram: number | null): Opener {
    return (signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("aborted")));
        if (this[name] === "refuse") reject(new Error("refused"));
        if (this[name] !== "open") return;
        const connect = (): void => {
          const peer = new Peer(this, name, maxDatagram);
          this.peers.add(peer);
          peer.pump();
          resolve(peer.carrier(maxDatagram));
        };
        if (name === "webtransport" && this.slow > 0) setTimeout(connect, this.slow);
        else connect();
      });
  }

  async #rest(url: string, init: RequestInit): Promise<Response> {
    const path = new URL(url).pathname;
    this.requests.push(`${init.method} ${path}`);
    this.bodies.push(JSON.parse(typeof init.body === "string" ? init.body : "null"));
    if (this.restStatus === 0) throw new TypeError("no network");
    if (this.restStatus !== 200) {
      return Response.json({ code: "test", message: "Because of the test." }, { status: this.restStatus });
    }
    if (path === "/v1/connect") return Response.json(CONNECT);
    const agent = path.startsWith("/v1/agent");
    return Response.json({
      token: `${agent ? "agent" : "visitor"}-${this.requests.length}`,
      expires_at: Date.now() + 30 * 86_400_000,
      visitor: VISITOR,
      agent: { id: AGENT, name: "Ada", email: "ada@shop.test", role: "agent", shop: "demo" },
      shop: { id: "demo", name: "Demo", settings: {} },
      connect: CONNECT,
    });
  }
}
