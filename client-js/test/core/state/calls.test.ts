import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CallRefused, Calls, MAX_CALLS } from "../../../src/core/state/calls.ts";
import type { Frame, Refused } from "../../../src/core/wire/frames.ts";

let sent: Frame[];
let calls: Calls;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  calls = new Calls(
    (frame) => sent.push(frame),
    () => 0,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

const refused = (call: number, retryAfter: number | null): Refused => ({
  type: "refused",
  code: "rate_limited",
  message: "slower",
  retryAfter,
  clientId: null,
  call,
});

describe("calls", () => {
  test("answers find their questions, whatever their order", async () => {
    const [one, two] = [calls.call("a", {}), calls.call("b", {})];
    calls.answered({ type: "result", id: 2, value: { n: 2 } });
    calls.answered({ type: "result", id: 1, value: { n: 1 } });
    calls.answered({ type: "result", id: 1, value: { n: 9 } });
    expect([await one, await two]).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("what is unanswered is asked again on the next session", async () => {
    const call = calls.call("a", {});
    calls.restart();
    expect(sent).toEqual([sent[0], sent[0]]);
    calls.answered({ type: "result", id: 1, value: {} });
    await call;
    calls.restart();
    expect(sent).toHaveLength(2);
  });

  test("refused for now: asked again later; for good: an error with the code", async () => {
    const call = calls.call("a", {});
    calls.refused(refused(1, 500));
    vi.advanceTimersByTime(499);
    expect(sent).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sent).toHaveLength(2);
    calls.refused(refused(1, null));
    await expect(call).rejects.toMatchObject({ code: "rate_limited", message: "slower" });
  });

  test("over the bound a call is refused at once; a stop refuses all", async () => {
    const waiting = Array.from({ length: MAX_CALLS }, () => calls.call("a", {}));
    await expect(calls.call("a", {})).rejects.toThrow(CallRefused);
    calls.stop();
    const results = await Promise.allSettled(waiting);
    expect(results.every(({ status }) => status === "rejected")).toBe(true);
  });
});
