import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AgentChat, SignInError } from "../../../src/core/client/agent.ts";
import { MemoryStore } from "../../../src/core/state/storage.ts";
import { AGENT, FakeServer, VISITOR } from "./server.ts";

const ONE = "0190b3a0-7c4e-7d3a-9b1e-000000000001";
const TWO = "0190b3a0-7c4e-7d3a-9b1e-000000000002";

let server: FakeServer;
const running: AgentChat[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_790_000_000_000 });
  server = new FakeServer();
});
afterEach(() => {
  for (const chat of running.splice(0)) chat.stop();
  vi.useRealTimers();
});

const settle = (ms = 50): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

function make(platform = server.platform()): AgentChat {
  const chat = new AgentChat({ server: "https://chat.test" }, platform);
  running.push(chat);
  return chat;
}

async function signedIn(platform = server.platform()): Promise<AgentChat> {
  const chat = make(platform);
  void chat.signIn("ada@shop.test", "secret");
  await settle();
  expect(chat.link.phase).toBe("live");
  return chat;
}

const texts = (chat: AgentChat, id: string): string[] =>
  chat.conversation(id)?.timeline.flatMap((item) => (item.type === "message" ? [item.message.text] : [])) ?? [];

describe("the inbox", () => {
  test("is loaded after sign-in, newest first, and kept live", async () => {
    server.append(ONE, VISITOR, "message", { text: "older" });
    vi.setSystemTime(Date.now() + 1000);
    server.append(TWO, VISITOR, "message", { text: "newer" });
    const chat = await signedIn();
    expect(chat.inbox.map(({ id }) => id)).toEqual([TWO, ONE]);
    vi.setSystemTime(Date.now() + 1000);
    server.append(ONE, VISITOR, "message", { text: "newest" });
    await settle();
    expect(chat.inbox.map(({ id, last, unread }) => [id, last?.text, unread])).toEqual([
      [ONE, "newest", 1],
      [TWO, "newer", 0],
    ]);
    expect(chat.inboxLoading).toBe(false);
    expect(chat.inboxHasMore).toBe(false);
  });

  test("a conversation nobody knew appears, and its message is told", async () => {
    const chat = await signedIn();
    const heard: string[] = [];
    chat.onMessage((id, message) => heard.push(`${id} ${message.text}`));
    server.append(ONE, VISITOR, "message", { text: "hello?" });
    await settle();
    expect(chat.inbox.map(({ id, last }) => [id, last?.text])).toEqual([[ONE, "hello?"]]);
    expect(heard).toEqual([`${ONE} hello?`]);
  });

  test("what moved while the agent was away is caught up", async () => {
    server.append(ONE, VISITOR, "message", { text: "before" });
    const chat = await signedIn();
    const [peer] = [...server.peers];
    server.peers.clear();
    vi.setSystemTime(Date.now() + 1000);
    server.append(ONE, VISITOR, "message", { text: "meanwhile" });
    server.append(TWO, VISITOR, "message", { text: "new" });
    peer?.cut();
    await settle(3000);
    expect(new Set(chat.inbox.map(({ last }) => last?.text))).toEqual(new Set(["meanwhile", "new"]));
  });

  test("shows who is there, on which transport, until it is not repeated", async () => {
    server.append(ONE, VISITOR, "message", { text: "hi" });
    const chat = await signedIn();
    server.peer.send({ type: "presence", who: VISITOR, state: "online", detail: { transport: "websocket-h1" } });
    await settle();
    expect(chat.inbox[0]?.presence).toEqual({ state: "online", transport: "websocket-h1" });
    await settle(50_000);
    expect(chat.inbox[0]?.presence.state).toBe("offline");
    expect(chat.presenceOf(VISITOR).state).toBe("offline");
  });

  test("typing shows in the row", async () => {
    server.append(ONE, VISITOR, "message", { text: "hi" });
    const chat = await signedIn();
    server.peer.send({ type: "typing", conversation: ONE, on: true, who: VISITOR });
    await settle();
    expect(chat.inbox[0]?.typing).toBe(true);
    await settle(8000);
    expect(chat.inbox[0]?.typing).toBe(false);
  });
});

describe("a conversation", () => {
  test("opens with its history, and stays live through a reconnect", async () => {
    for (let number = 1; number <= 60; number++) server.append(ONE, VISITOR, "message", { text: `${number}` });
    const chat = await signedIn();
    const opened = chat.open(ONE);
    await settle();
    await opened;
    expect(texts(chat, ONE)).toHaveLength(50);
    expect(chat.conversation(ONE)?.hasOlder).toBe(true);
    const [peer] = [...server.peers];
    server.peers.clear();
    server.append(ONE, VISITOR, "message", { text: "61" });
    peer?.cut();
    await settle(3000);
    expect(texts(chat, ONE).at(-1)).toBe("61");
  });

  test("notes, assignment and status take effect", async () => {
    server.append(ONE, VISITOR, "message", { text: "hi" });
    const chat = await signedIn();
    void chat.open(ONE);
    await settle();
    chat.sendNote(ONE, "careful");
    chat.assign(ONE, AGENT);
    chat.setStatus(ONE, "closed");
    await settle();
    expect(chat.conversation(ONE)).toMatchObject({ assignee: AGENT, status: "closed" });
    expect(chat.inbox[0]).toMatchObject({ assignee: AGENT, status: "closed" });
    expect(texts(chat, ONE)).toEqual(["hi", "careful"]);
  });

  test("reading it clears the row's count", async () => {
    const chat = await signedIn();
    server.append(ONE, VISITOR, "message", { text: "hi" });
    await settle();
    void chat.open(ONE);
    await settle();
    server.append(ONE, VISITOR, "message", { text: "there?" });
    await settle();
    expect(chat.inbox[0]?.unread).toBeGreaterThan(0);
    chat.markRead(ONE);
    expect(chat.inbox[0]?.unread).toBe(0);
    await settle();
    expect(chat.conversation(ONE)?.reads[AGENT]).toBe(2);
  });
});

describe("sign-in", () => {
  test("a wrong password is said in words", async () => {
    server.restStatus = 401;
    const chat = make();
    await expect(chat.signIn("ada@shop.test", "wrong")).rejects.toThrow(SignInError);
    expect(chat.signedIn).toBe(false);
  });

  test("a kept token resumes; signing out forgets everything", async () => {
    const local = new MemoryStore();
    (await signedIn(server.platform(local))).stop();
    const again = make(server.platform(local));
    expect(again.signedIn).toBe(true);
    void again.start();
    await settle();
    expect(again.link.phase).toBe("live");
    server.append(ONE, VISITOR, "message", { text: "hi" });
    await settle();
    again.signOut();
    expect(again.link.phase).toBe("signed-out");
    expect([again.signedIn, again.inbox.length, again.agent]).toEqual([false, 0, null]);
    expect(make(server.platform(local)).signedIn).toBe(false);
    await settle(60_000);
    expect(server.peers.size).toBe(0);
  });

  test("a token that cannot be renewed signs out, with the reason", async () => {
    const local = new MemoryStore();
    (await signedIn(server.platform(local))).stop();
    server.restStatus = 401;
    const chat = make(server.platform(local));
    await chat.start();
    expect(chat.link).toEqual({ phase: "signed-out", reason: "Because of the test." });
    expect(chat.signedIn).toBe(false);
  });

  test("signed out in one tab is signed out in all", async () => {
    const local = new MemoryStore();
    const platform = server.platform(local);
    const chat = await signedIn(platform);
    platform.signal({ what: "removed", key: "tradewind:agent:https://chat.test" });
    expect([chat.signedIn, chat.link.phase]).toEqual([false, "signed-out"]);
  });

  test("a token that another tab has renewed is used", async () => {
    const local = new MemoryStore();
    const one = await signedIn(server.platform(local));
    await settle(10);
    await signedIn(server.platform(local));
    const renewed = server.hellos[1]?.token;
    [...server.peers][0]?.cut();
    await settle(3000);
    expect(one.link.phase).toBe("live");
    expect(server.hellos[2]?.token).toBe(renewed);
  });

  test("the token is renewed before it expires", async () => {
    await signedIn();
    await settle(22 * 86_400_000);
    expect(server.requests).toContain("POST /v1/agent/session/refresh");
  });
});

describe("a conversation that another region orders", () => {
  const said = (chat: AgentChat): unknown[] =>
    chat.conversation(ONE)?.timeline.flatMap((item) => (item.type === "message" ? [item.message] : [])) ?? [];

  test("what is said is kept as queued until the log brings it", async () => {
    server.append(ONE, VISITOR, "message", { text: "hello?" });
    const chat = await signedIn();
    await chat.open(ONE);
    server.onSend = ({ clientId, conversation }) => ({ type: "queued", clientId, conversation, at: Date.now() });
    const clientId = chat.sendMessage(ONE, "a moment, please");
    await settle();
    expect(said(chat)[1]).toMatchObject({ text: "a moment, please", state: "queued", seq: null });
    server.append(ONE, AGENT, "message", { text: "a moment, please" }, clientId);
    await settle();
    expect(said(chat)).toHaveLength(2);
    expect(said(chat)[1]).toMatchObject({ text: "a moment, please", state: "sent", seq: 2 });
  });

  test("what its home refuses is shown as failed", async () => {
    server.append(ONE, VISITOR, "message", { text: "hello?" });
    const chat = await signedIn();
    await chat.open(ONE);
    server.onSend = ({ clientId, conversation }) => ({ type: "queued", clientId, conversation, at: Date.now() });
    const clientId = chat.sendMessage(ONE, "too late");
    await settle();
    server.peer.send({ type: "refused", code: "forbidden", message: "no", retryAfter: null, clientId, call: null });
    await settle();
    expect(said(chat)[1]).toMatchObject({ state: "failed", error: { code: "forbidden" } });
  });
});

describe("what is refused", () => {
  test("a claim over the capacity did not happen, and says why until it is read", async () => {
    server.append(ONE, VISITOR, "message", { text: "hello?" });
    const chat = await signedIn();
    await chat.open(ONE);
    server.onSend = ({ clientId }) => ({
      type: "refused",
      code: "at_capacity",
      message: "Ann has 3 open conversations already",
      retryAfter: null,
      clientId,
      call: null,
    });
    chat.assign(ONE, AGENT);
    expect(chat.conversation(ONE)?.assignee).toBe(AGENT);
    await settle();
    expect(chat.conversation(ONE)?.assignee).toBeNull();
    expect(chat.refusal).toMatchObject({ conversation: ONE, code: "at_capacity" });
    chat.dismissRefusal();
    expect(chat.refusal).toBeNull();
    chat.assign(ONE, AGENT);
    await settle();
    expect(chat.refusal).not.toBeNull();
    server.onSend = null;
    chat.assign(ONE, null);
    expect(chat.refusal).toBeNull();
  });
});

describe("the search", () => {
  test("finds messages page by page, each with its conversation", async () => {
    for (let n = 1; n <= 25; n++) server.append(ONE, VISITOR, "message", { text: `parcel ${n}` });
    const chat = await signedIn();
    let page = await chat.search("parcel", null);
    expect(page.hits).toHaveLength(20);
    expect(page.hits[0]?.excerpt).toEqual(["", "parcel", " 25"]);
    expect(page.hits[0]?.conversation).toBe(chat.inbox.find(({ id }) => id === ONE));
    page = await chat.search("parcel", page.cursor);
    expect([page.hits.length, page.cursor]).toEqual([5, null]);
  });

  test("a conversation that the inbox has not loaded comes up at once", async () => {
    const old = server.append(ONE, VISITOR, "message", { text: "parcel" });
    server.log.clear();
    const chat = await signedIn();
    server.log.set(ONE, [old]);
    const [hit] = (await chat.search("parcel", null)).hits;
    expect(chat.inbox).toEqual([]);
    void chat.open(hit?.conversation.id ?? "");
    expect(chat.inbox.map(({ id }) => id)).toEqual([ONE]);
  });

  test("reaches back to an old message, and says when it cannot", async () => {
    for (let n = 1; n <= 430; n++) server.append(ONE, VISITOR, "message", { text: `text ${n}` });
    const chat = await signedIn();
    void chat.open(ONE);
    await settle();
    expect(texts(chat, ONE)).toHaveLength(50);
    const reached = chat.reach(ONE, 12);
    await settle(1_000);
    expect(await reached).toBe(true);
    expect(texts(chat, ONE)).toContain("text 12");
    expect(texts(chat, ONE).at(-1)).toBe("text 430");
    expect(await chat.reach(ONE, 431)).toBe(false);
    expect(await chat.reach(TWO, 1)).toBe(false);
  });
});
