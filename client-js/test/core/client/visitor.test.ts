import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ConversationView, Message } from "../../../src/core/api.ts";
import { VisitorChat } from "../../../src/core/client/visitor.ts";
import { MemoryStore } from "../../../src/core/state/storage.ts";
import { AGENT, FakeServer, VISITOR } from "./server.ts";

const OPTIONS = { server: "https://chat.test", shop: "demo" };

let server: FakeServer;
const running: VisitorChat[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_790_000_000_000 });
  server = new FakeServer();
});
afterEach(() => {
  for (const chat of running.splice(0)) chat.stop();
  vi.useRealTimers();
});

const settle = (ms = 50): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

function make(platform = server.platform()): VisitorChat {
  const chat = new VisitorChat(OPTIONS, platform);
  running.push(chat);
  return chat;
}

async function live(platform = server.platform()): Promise<VisitorChat> {
  const chat = make(platform);
  void chat.start();
  await settle();
  expect(chat.link.phase).toBe("live");
  return chat;
}

function view(chat: VisitorChat): ConversationView {
  const found = chat.conversation(chat.current);
  if (found === null) throw new Error("not held");
  return found;
}

const messages = (chat: VisitorChat): Message[] =>
  view(chat).timeline.flatMap((item) => (item.type === "message" ? [item.message] : []));

const brief = (chat: VisitorChat): [string, string][] => messages(chat).map(({ text, state }) => [text, state]);

describe("a conversation", () => {
  test("a message goes from sending to sent, delivered and read", async () => {
    const chat = await live();
    chat.sendMessage(chat.current, " Hello ");
    expect(brief(chat)).toEqual([["Hello", "sending"]]);
    await settle();
    expect(brief(chat)).toEqual([["Hello", "sent"]]);
    server.peer.send({ type: "received", conversation: chat.current, seq: 1, who: AGENT });
    await settle();
    expect(brief(chat)).toEqual([["Hello", "delivered"]]);
    server.append(chat.current, AGENT, "read", { seq: 1 });
    await settle();
    expect(brief(chat)).toEqual([["Hello", "read"]]);
    expect(server.texts(chat.current)).toEqual(["Hello"]);
  });

  test("a message written before the session is live goes out with the hello, and once", async () => {
    const chat = make();
    void chat.start();
    chat.sendMessage(chat.current, "early");
    await settle();
    expect(server.texts(chat.current)).toEqual(["early"]);
    expect(server.peer.frames.filter(({ type }) => type === "send")).toHaveLength(1);
  });

  test("an answer counts as unread until it is marked, and is told to listeners once", async () => {
    const chat = await live();
    const heard: string[] = [];
    chat.onMessage((_, message) => heard.push(message.text));
    chat.sendMessage(chat.current, "hi");
    await settle();
    server.append(chat.current, AGENT, "message", { text: "hey" });
    await settle();
    expect(heard).toEqual(["hey"]);
    expect(view(chat).unread).toBe(1);
    chat.markRead(chat.current);
    expect(view(chat).unread).toBe(0);
    await settle(3000);
    expect(view(chat).reads[VISITOR]).toBe(2);
    expect(server.peer.frames.filter(({ type }) => type === "read")).toHaveLength(1);
    expect(server.peer.frames.filter(({ type }) => type === "received")).toEqual([
      { type: "received", conversation: chat.current, seq: 2, who: "" },
    ]);
  });

  test("edits, deletions and ratings fold", async () => {
    const chat = await live();
    chat.sendMessage(chat.current, "one");
    chat.sendMessage(chat.current, "two");
    await settle();
    chat.edit(chat.current, 1, "uno");
    chat.remove(chat.current, 2);
    chat.rate(chat.current, 5, "good");
    await settle();
    expect(messages(chat).map(({ text, edited, deleted }) => [text, edited, deleted])).toEqual([
      ["uno", true, false],
      ["", false, true],
    ]);
    expect(view(chat).rating).toBe(5);
  });

  test("a snapshot is the same object until something changes, and listeners are called once per turn", async () => {
    const chat = await live();
    const calls = vi.fn();
    chat.subscribe(calls);
    const before = view(chat);
    expect(view(chat)).toBe(before);
    chat.setDraft(chat.current, "a");
    chat.setDraft(chat.current, "ab");
    await Promise.resolve();
    expect(calls).toHaveBeenCalledTimes(1);
    expect(view(chat)).not.toBe(before);
    expect(view(chat).draft).toBe("ab");
  });

  test("typing goes both ways and ends by itself", async () => {
    const chat = await live();
    chat.sendMessage(chat.current, "hi");
    await settle();
    for (let key = 0; key < 10; key++) {
      chat.typing(chat.current);
      await settle(100);
    }
    await settle(6000);
    const sent = server.peer.frames.flatMap((frame) => (frame.type === "typing" ? [frame.on] : []));
    expect(sent).toEqual([true, false]);
    server.peer.send({ type: "typing", conversation: chat.current, on: true, who: AGENT });
    await settle();
    expect(view(chat).typing).toEqual([AGENT]);
    await settle(8000);
    expect(view(chat).typing).toEqual([]);
  });
});

describe("when things go wrong", () => {
  test("lost in the middle: everything arrives once and in order", async () => {
    const chat = await live();
    const expected: string[] = [];
    for (let number = 0; number < 12; number++) {
      expected.push(`m${number}`);
      chat.sendMessage(chat.current, `m${number}`);
      if (number === 4) server.peer.cut();
      await settle(120);
    }
    await settle(10_000);
    expect(server.texts(chat.current)).toEqual(expected);
    expect(brief(chat)).toEqual(expected.map((text) => [text, "sent"]));
  });

  test("accepted but the answer was lost: the resend is not doubled", async () => {
    const chat = await live();
    server.onSend = (send) => {
      server.append(send.conversation, VISITOR, send.kind, send.body, send.clientId);
      server.onSend = null;
      server.peer.cut();
      return "silent";
    };
    chat.sendMessage(chat.current, "once");
    await settle(5000);
    expect(server.texts(chat.current)).toEqual(["once"]);
    expect(brief(chat)).toEqual([["once", "sent"]]);
  });

  test("a reload keeps what was not sent, the conversation and the draft", async () => {
    const local = new MemoryStore();
    server.websocket = server.webtransport = "refuse";
    const before = make(server.platform(local));
    void before.start();
    await settle();
    before.sendMessage(before.current, "kept");
    before.setDraft(before.current, "half a");
    before.stop();
    server.websocket = server.webtransport = "open";
    const after = make(server.platform(local));
    expect(after.current).toBe(before.current);
    expect(brief(after)).toEqual([["kept", "sending"]]);
    expect(view(after).draft).toBe("half a");
    void after.start();
    await settle();
    expect(brief(after)).toEqual([["kept", "sent"]]);
    expect(server.texts(after.current)).toEqual(["kept"]);
  });

  test("two tabs send what both found, and nothing is doubled", async () => {
    const local = new MemoryStore();
    const first = make(server.platform(local));
    first.sendMessage(first.current, "shared");
    const second = make(server.platform(local));
    void first.start();
    void second.start();
    await settle(200);
    expect(server.texts(first.current)).toEqual(["shared"]);
    expect(brief(first)).toEqual([["shared", "sent"]]);
    expect(brief(second)).toEqual([["shared", "sent"]]);
  });

  test("a refusal for good shows as failed, and can be tried again or dropped", async () => {
    const chat = await live();
    server.onSend = ({ clientId }) => ({
      type: "refused",
      code: "invalid",
      message: "no",
      retryAfter: null,
      clientId,
      call: null,
    });
    const id = chat.sendMessage(chat.current, "bad");
    await settle();
    expect(messages(chat)[0]).toMatchObject({ state: "failed", error: { code: "invalid", message: "no" } });
    server.onSend = null;
    chat.retry(chat.current, id);
    await settle();
    expect(brief(chat)).toEqual([["bad", "sent"]]);
  });

  test("a refusal for now is tried again, and keeps the order", async () => {
    const chat = await live();
    let refusals = 2;
    server.onSend = ({ clientId }) =>
      refusals-- > 0
        ? { type: "refused", code: "rate_limited", message: "slower", retryAfter: 500, clientId, call: null }
        : null;
    chat.sendMessage(chat.current, "a");
    chat.sendMessage(chat.current, "b");
    await settle();
    expect(server.texts(chat.current)).toEqual([]);
    await settle(5000);
    expect(server.texts(chat.current)).toEqual(["a", "b"]);
  });

  test("a text that is too long fails here, however long it is", async () => {
    const chat = await live();
    chat.sendMessage(chat.current, "x".repeat(100_000));
    await settle();
    expect(messages(chat)[0]).toMatchObject({ state: "failed", error: { code: "too_large" } });
    expect(chat.link.phase).toBe("live");
  });

  test("a gap is fetched", async () => {
    const chat = await live();
    chat.sendMessage(chat.current, "1");
    await settle();
    const [peer] = [...server.peers];
    server.peers.clear();
    server.append(chat.current, AGENT, "message", { text: "2" });
    server.append(chat.current, AGENT, "message", { text: "3" });
    if (peer !== undefined) server.peers.add(peer);
    server.append(chat.current, AGENT, "message", { text: "4" });
    await settle();
    expect(messages(chat).map(({ text }) => text)).toEqual(["1", "2", "3", "4"]);
  });

  test("another epoch: what is held is dropped and fetched anew", async () => {
    const chat = await live();
    chat.sendMessage(chat.current, "old");
    await settle();
    server.epoch = 2;
    const [entry] = server.log.get(chat.current) ?? [];
    if (entry !== undefined) server.log.set(chat.current, [{ ...entry, epoch: 2, body: { text: "restored" } }]);
    server.peer.cut();
    await settle(3000);
    expect(messages(chat).map(({ text }) => text)).toEqual(["restored"]);
  });

  test("more than can be replayed: the newest page, and older ones on demand", async () => {
    const chat = await live();
    const id = chat.current;
    chat.sendMessage(id, "first");
    await settle();
    const [peer] = [...server.peers];
    server.peers.clear();
    for (let number = 0; number < 600; number++) server.append(id, AGENT, "message", { text: `${number}` });
    peer?.cut();
    await settle(3000);
    expect(messages(chat)).toHaveLength(50);
    expect(view(chat).hasOlder).toBe(true);
    await chat.loadOlder(id);
    expect(messages(chat)).toHaveLength(100);
    expect(messages(chat).at(-1)?.text).toBe("599");
  });
});

describe("sign-in", () => {
  test("a kept token is used without asking the server, and keeps the visitor", async () => {
    const local = new MemoryStore();
    (await live(server.platform(local))).stop();
    expect(server.requests).toEqual(["POST /v1/visitor/session"]);
    await live(server.platform(local));
    expect(server.requests).toEqual(["POST /v1/visitor/session"]);
    expect(server.hellos[1]?.token).toBe(server.hellos[0]?.token);
  });

  test("kept addresses are not trusted after WebTransport failed", async () => {
    const local = new MemoryStore();
    server.webtransport = "refuse";
    (await live(server.platform(local))).stop();
    await live(server.platform(local));
    expect(server.requests).toEqual(["POST /v1/visitor/session", "POST /v1/visitor/session"]);
  });

  test("a token that is refused is renewed at once", async () => {
    const local = new MemoryStore();
    (await live(server.platform(local))).stop();
    server.validTokens = new Set(["visitor-2"]);
    const chat = await live(server.platform(local));
    expect(chat.link.phase).toBe("live");
    expect(server.requests).toHaveLength(2);
  });

  const jwt = (sub: string): string => `h.${btoa(JSON.stringify({ sub }))}.s`;

  function named(local: MemoryStore, identity?: string | (() => Promise<string>)): VisitorChat {
    const options = identity === undefined ? OPTIONS : { ...OPTIONS, identity };
    const chat = new VisitorChat(options, server.platform(local));
    running.push(chat);
    return chat;
  }

  test("a customer who signs out of the shop leaves nothing behind", async () => {
    const local = new MemoryStore();
    const known = named(local, jwt("jo"));
    void known.start();
    await settle();
    server.peer.cut();
    server.webtransport = server.websocket = "refuse";
    known.sendMessage(known.current, "private");
    known.setDraft(known.current, "secret");
    known.stop();
    expect(named(local, jwt("jo")).current).toBe(known.current);
    expect(local.keys("").some((key) => local.get(key)?.includes("private"))).toBe(true);
    const anonymous = named(local);
    expect(anonymous.current).not.toBe(known.current);
    expect(anonymous.me).toBeNull();
    expect(local.keys("").some((key) => /private|secret/.test(local.get(key) ?? ""))).toBe(false);
  });

  test("another customer, told of late, meets nothing of the one before", async () => {
    const local = new MemoryStore();
    const first = named(local, jwt("jo"));
    void first.start();
    await settle();
    first.stop();
    const second = named(local, () => Promise.resolve(jwt("al")));
    void second.start();
    await settle();
    expect(second.link.phase).toBe("live");
    expect(second.current).not.toBe(first.current);
    expect(server.bodies.at(-1)).not.toHaveProperty("token");
  });

  test("an anonymous visitor who signs in at the shop goes on as the same", async () => {
    const local = new MemoryStore();
    const before = await live(server.platform(local));
    before.sendMessage(before.current, "who am I?");
    await settle();
    before.stop();
    const after = named(local, jwt("jo"));
    void after.start();
    await settle();
    expect(after.current).toBe(before.current);
    expect(brief(after)).toEqual([["who am I?", "sent"]]);
    expect(server.bodies.at(-1)).toMatchObject({ token: "visitor-1", identity: jwt("jo") });
  });

  test("a first message that could not be sent is there after a reload, even without a session", async () => {
    const local = new MemoryStore();
    server.restStatus = 0;
    const before = make(server.platform(local));
    void before.start();
    before.sendMessage(before.current, "anybody?");
    await settle();
    before.stop();
    expect(before.link.phase).toBe("stopped");
    server.restStatus = 200;
    const after = await live(server.platform(local));
    expect(brief(after)).toEqual([["anybody?", "sent"]]);
  });

  test("a shop that does not exist stops the client and says why", async () => {
    server.restStatus = 404;
    const chat = make();
    await chat.start();
    expect(chat.link).toEqual({ phase: "stopped", code: 404, reason: "Because of the test." });
  });
});
