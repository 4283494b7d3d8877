/** The link, seen through a whole client against the server in memory: what it does when sessions end. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { VisitorChat } from "../../../src/core/client/visitor.ts";
import { CAP } from "../../../src/core/net/backoff.ts";
import { PARTING } from "../../../src/core/net/link.ts";
import { ANSWER_DEADLINE, LIVELY, QUIET } from "../../../src/core/net/session.ts";
import { AGENT, FakeServer } from "../client/server.ts";

let server: FakeServer;
let platform: ReturnType<FakeServer["platform"]>;
let chat: VisitorChat;

const settle = (ms = 50): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers({ now: 1_790_000_000_000 });
  server = new FakeServer();
  platform = server.platform();
  chat = new VisitorChat({ server: "https://chat.test", shop: "demo" }, platform);
});
afterEach(() => {
  chat.stop();
  vi.useRealTimers();
});

async function live(): Promise<void> {
  void chat.start();
  await settle();
  expect(chat.link.phase).toBe("live");
}

describe("by close code", () => {
  test.each([4000, 4001, 4003, 1006, 4999])("%i: resumes with back-off", async (code) => {
    await live();
    server.peer.close(code);
    await settle(1);
    expect(chat.link).toMatchObject({ phase: "reconnecting", attempt: 1 });
    await settle(1000);
    expect(chat.link.phase).toBe("live");
  });

  test.each([4100, 4101])("%i: a new token at once, then resumes", async (code) => {
    await live();
    server.peer.close(code);
    await settle(20);
    expect(chat.link.phase).toBe("live");
    expect(server.requests.filter((request) => request.startsWith("POST"))).toHaveLength(2);
  });

  test("a token that is refused over and over is asked for with back-off", async () => {
    server.validTokens = new Set();
    void chat.start();
    await settle(60_000);
    expect(server.hellos.length).toBeGreaterThan(3);
    expect(server.hellos.length).toBeLessThan(15);
  });

  test.each([4200, 4203, 1000])("%i: stops, and says so", async (code) => {
    await live();
    server.peer.close(code);
    await settle(60_000);
    expect(chat.link).toEqual({ phase: "stopped", code, reason: "test" });
    expect(server.peers.size).toBe(0);
  });

  test("overloaded: comes back later", async () => {
    await live();
    server.peer.close(4004);
    await settle(3000);
    expect(chat.link.phase).toBe("reconnecting");
    await settle(3000);
    expect(chat.link.phase).toBe("live");
  });
});

describe("drain", () => {
  test("the next session is live before this one is closed, and nothing is lost or doubled", async () => {
    await live();
    chat.sendMessage(chat.current, "before");
    await settle();
    const old = server.peer;
    old.send({ type: "drain", deadline: 10_000 });
    let mostAtOnce = 0;
    const phases = new Set<string>();
    for (let number = 0; number < 20; number++) {
      await settle(400);
      chat.sendMessage(chat.current, `m${number}`);
      mostAtOnce = Math.max(mostAtOnce, server.peers.size);
      phases.add(chat.link.phase);
    }
    await settle();
    expect(phases).toEqual(new Set(["live"]));
    expect(server.hellos).toHaveLength(2);
    expect(old.machine.closed).toMatchObject({ code: 1000, remote: true });
    expect(server.peers.size).toBe(1);
    expect(server.texts(chat.current)).toEqual(["before", ...Array.from({ length: 20 }, (_, number) => `m${number}`)]);
  });

  test("a session that was left still answers, and is closed soon after", async () => {
    await live();
    const old = server.peer;
    server.onSend = () => "silent";
    chat.sendMessage(chat.current, "hello");
    await settle();
    old.send({ type: "drain", deadline: 1 });
    await settle();
    expect([server.peers.size, server.hellos.length]).toEqual([2, 2]);
    const [send] = old.frames.filter((frame) => frame.type === "send");
    if (send === undefined) throw new Error("nothing was sent");
    const { conversation, clientId } = send;
    old.send({ type: "accepted", conversation, clientId, epoch: 1, seq: 1, at: Date.now() });
    await settle();
    expect(chat.conversation(conversation)?.timeline).toMatchObject([{ message: { text: "hello", state: "sent" } }]);
    await settle(PARTING);
    expect(server.peers.size).toBe(1);
  });

  test("a stop while a session is left behind closes that too", async () => {
    await live();
    server.peer.send({ type: "drain", deadline: 1 });
    await settle();
    expect(server.peers.size).toBe(2);
    chat.stop();
    await settle();
    expect(server.peers.size).toBe(0);
  });

  test("a stop during the move leaves no session behind", async () => {
    await live();
    server.peer.send({ type: "drain", deadline: 1000 });
    await settle(200);
    chat.stop();
    await settle(20_000);
    expect(server.peers.size).toBe(0);
  });
});

describe("WebTransport that comes late", () => {
  test("the session moves there, and nothing is lost or doubled", async () => {
    server.slow = 900;
    void chat.start();
    await settle(400);
    expect(chat.link).toMatchObject({ phase: "live", transport: "websocket" });
    const said = [];
    for (let number = 0; number < 10; number++) {
      said.push(`m${number}`);
      chat.sendMessage(chat.current, `m${number}`);
      await settle(100);
      expect(chat.link.phase).toBe("live");
    }
    expect(chat.link).toMatchObject({ phase: "live", transport: "webtransport" });
    await settle(PARTING);
    expect([server.peers.size, server.hellos.length]).toEqual([1, 2]);
    expect(server.texts(chat.current)).toEqual(said);
  });

  test("is closed when there is nothing to move any more", async () => {
    server.slow = 900;
    void chat.start();
    await settle(400);
    chat.stop();
    await settle(15_000);
    expect(server.peers.size).toBe(0);
  });

  test("is let go when the session ends before it comes", async () => {
    server.slow = 900;
    void chat.start();
    await settle(400);
    server.peer.close(4200);
    await settle(15_000);
    expect(chat.link.phase).toBe("stopped");
    expect(server.peers.size).toBe(0);
  });
});

describe("the network", () => {
  test("a server that cannot be reached is tried again, at most CAP apart, and found", async () => {
    server.webtransport = server.websocket = "refuse";
    void chat.start();
    await settle(5 * 60_000);
    expect(chat.link.phase).toBe("reconnecting");
    server.webtransport = server.websocket = "open";
    await settle(CAP);
    expect(chat.link.phase).toBe("live");
  });

  test("“try now” and a network that comes back skip the back-off", async () => {
    server.webtransport = server.websocket = "refuse";
    void chat.start();
    await settle(60_000);
    server.webtransport = server.websocket = "open";
    platform.signal({ what: "network" });
    await settle();
    expect(chat.link.phase).toBe("live");
  });

  test("a session that sleep has killed is found out when the page is seen again", async () => {
    await live();
    server.blackhole = true;
    platform.signal({ what: "seen" });
    await settle(ANSWER_DEADLINE - 100);
    expect(chat.link.phase).toBe("live");
    server.blackhole = false;
    await settle(1500);
    expect(chat.link.phase).toBe("live");
    expect(server.hellos).toHaveLength(2);
  });

  test("a session that answers the probe stays", async () => {
    await live();
    platform.signal({ what: "seen" });
    await settle(10_000);
    expect(server.hellos).toHaveLength(1);
    expect(chat.link).toMatchObject({ transport: "webtransport", rtt: expect.any(Number) });
  });

  test("a message into a network that swallows everything finds out in seconds", async () => {
    await live();
    server.blackhole = true;
    chat.sendMessage(chat.current, "into the tunnel");
    await settle(ANSWER_DEADLINE);
    server.blackhole = false;
    await settle(1000);
    expect(server.texts(chat.current)).toEqual(["into the tunnel"]);
  });

  test("while people talk, silence is probed; later, only by the heartbeat", async () => {
    await live();
    chat.sendMessage(chat.current, "hi");
    await settle(LIVELY - 1000);
    const pings = (): number => server.peer.machine.counters.framesReceived;
    const lively = pings();
    expect(lively).toBeGreaterThanOrEqual(Math.floor((LIVELY - 1000) / QUIET));
    await settle(LIVELY);
    expect(pings() - lively).toBeLessThan(10);
    chat.sendMessage(chat.current, "still there?");
    await settle();
    server.blackhole = true;
    await settle(QUIET + ANSWER_DEADLINE + 100);
    expect(chat.link.phase).toBe("reconnecting");
    server.blackhole = false;
  });

  test("silence ends the session by itself", async () => {
    await live();
    server.blackhole = true;
    await settle(63_000);
    expect(chat.link.phase).toBe("reconnecting");
  });

  test("UDP blocked: WebSocket, and the next time both start at once", async () => {
    server.webtransport = "hang";
    void chat.start();
    await settle(290);
    expect(chat.link.phase).toBe("connecting");
    await settle(60);
    expect(chat.link).toMatchObject({ phase: "live", transport: "websocket" });
    await settle(20_000);
    server.peer.cut();
    await settle(1);
    platform.signal({ what: "seen" });
    await settle(20);
    expect(chat.link).toMatchObject({ phase: "live", transport: "websocket" });
  });

  test("a welcome that never comes is not waited for", async () => {
    server.blackhole = true;
    void chat.start();
    await settle(11_000);
    expect(chat.link.phase).toBe("reconnecting");
  });

  test("the same conversation goes on over the other transport", async () => {
    await live();
    chat.sendMessage(chat.current, "over WebTransport");
    await settle();
    server.webtransport = "hang";
    server.peer.cut();
    await settle(3000);
    expect(chat.link).toMatchObject({ phase: "live", transport: "websocket" });
    server.append(chat.current, AGENT, "message", { text: "over WebSocket" });
    await settle();
    expect(chat.conversation(chat.current)?.timeline).toHaveLength(2);
    expect(server.hellos[1]?.resume).toEqual([{ conversation: chat.current, epoch: 1, seq: 1 }]);
  });
});
