import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Carrier, Opener } from "../../../src/core/net/carrier.ts";
import { DEADLINE, race } from "../../../src/core/net/race.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class FakeCarrier implements Carrier {
  readonly maxDatagram = null;
  readonly name: Carrier["name"];
  closed = false;

  constructor(name: Carrier["name"]) {
    this.name = name;
  }

  start(): void {}
  send(): void {}
  close(): void {
    this.closed = true;
  }
}

interface Runner {
  readonly open: Opener;
  readonly carrier: FakeCarrier;
  startedAt: number | null;
  aborted: boolean;
}

/** Connects after `ms`, or fails after `failsAfter`; neither: hangs until it is aborted, as WebTransport does. */
function runner(name: Carrier["name"], { ms, failsAfter }: { ms?: number; failsAfter?: number }): Runner {
  const carrier = new FakeCarrier(name);
  const self: Runner = { carrier, startedAt: null, aborted: false, open: () => Promise.reject(new Error("unset")) };
  const open: Opener = (signal) =>
    new Promise((resolve, reject) => {
      self.startedAt = performance.now() - zero;
      signal.addEventListener("abort", () => {
        self.aborted = true;
        reject(new Error("aborted"));
      });
      if (ms !== undefined) setTimeout(() => resolve(carrier), ms);
      if (failsAfter !== undefined) setTimeout(() => reject(new Error("refused")), failsAfter);
    });
  return Object.assign(self, { open });
}

let zero = 0;

async function run(first: Runner | null, second: Runner, headStart = 300, signal = new AbortController().signal) {
  zero = performance.now();
  const verdict = { worked: vi.fn(), failed: vi.fn() };
  const late = vi.fn();
  let took = Number.NaN;
  const done = race({ first: first?.open ?? null, second: second.open, headStart, verdict, late }, signal).then(
    (carrier) => {
      took = performance.now() - zero;
      return carrier.name;
    },
    () => {
      took = performance.now() - zero;
      return "nobody";
    },
  );
  await vi.advanceTimersByTimeAsync(40_000);
  return { winner: await done, took, verdict, late };
}

describe("the race", () => {
  test("WebTransport within its head start wins, and WebSocket is never started", async () => {
    const first = runner("webtransport", { ms: 200 });
    const second = runner("websocket", { ms: 10 });
    const { winner, took, verdict } = await run(first, second);
    expect([winner, took, second.startedAt]).toEqual(["webtransport", 200, null]);
    expect(verdict.worked).toHaveBeenCalledOnce();
    expect(first.carrier.closed).toBe(false);
  });

  test("UDP that is blocked costs the head start and no more", async () => {
    const first = runner("webtransport", {});
    const { winner, took, verdict } = await run(first, runner("websocket", { ms: 50 }));
    expect([winner, took]).toEqual(["websocket", 350]);
    expect(verdict.failed).toHaveBeenCalledOnce();
    expect(first.aborted).toBe(true);
  });

  test("WebTransport that is refused does not use up its head start", async () => {
    const { took } = await run(runner("webtransport", { failsAfter: 20 }), runner("websocket", { ms: 50 }));
    expect(took).toBe(70);
  });

  test("a slow WebTransport still wins when WebSocket is slower", async () => {
    const second = runner("websocket", { ms: 600 });
    const { winner, took } = await run(runner("webtransport", { ms: 500 }), second);
    expect([winner, took]).toEqual(["webtransport", 500]);
    expect(second.aborted).toBe(true);
  });

  test("WebTransport that connects after it has lost is handed on, and shows that UDP works", async () => {
    const first = runner("webtransport", { ms: 900 });
    const { winner, verdict, late } = await run(first, runner("websocket", { ms: 10 }));
    expect([winner, first.carrier.closed]).toEqual(["websocket", false]);
    expect(late).toHaveBeenCalledExactlyOnceWith(first.carrier);
    expect([verdict.worked.mock.calls.length, verdict.failed.mock.calls.length]).toEqual([1, 0]);
  });

  test("a WebSocket that ignores its abort is closed all the same", async () => {
    const second = runner("websocket", { ms: 600 });
    const stubborn: Runner = { ...second, open: () => second.open(new AbortController().signal) };
    await run(runner("webtransport", { ms: 500 }), stubborn);
    expect(second.carrier.closed).toBe(true);
  });

  test("when both fail nobody wins, and nothing is held against UDP", async () => {
    const { winner, took, verdict } = await run(
      runner("webtransport", { failsAfter: 20 }),
      runner("websocket", { failsAfter: 30 }),
    );
    expect([winner, took]).toEqual(["nobody", 50]);
    expect(verdict.failed).not.toHaveBeenCalled();
  });

  test("a race that nobody can win ends at its deadline", async () => {
    const { winner, took } = await run(runner("webtransport", {}), runner("websocket", {}));
    expect([winner, took]).toEqual(["nobody", DEADLINE]);
  });

  test("without WebTransport WebSocket starts at once", async () => {
    const { winner, took, verdict } = await run(null, runner("websocket", { ms: 10 }));
    expect([winner, took]).toEqual(["websocket", 10]);
    expect(verdict.failed).not.toHaveBeenCalled();
  });

  test("a stop aborts both", async () => {
    const stop = new AbortController();
    const [first, second] = [runner("webtransport", {}), runner("websocket", {})];
    setTimeout(() => stop.abort(), 1000);
    const { winner, took } = await run(first, second, 300, stop.signal);
    expect([winner, took, first.aborted, second.aborted]).toEqual(["nobody", 1000, true, true]);
  });
});
