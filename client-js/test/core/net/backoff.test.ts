import { expect, test } from "vitest";
import { BASE, backoff, CAP, refusalDelay } from "../../../src/core/net/backoff.ts";
import { Failures, FORGET } from "../../../src/core/net/failures.ts";
import { MemoryStore } from "../../../src/core/state/storage.ts";

test("back-off doubles up to its cap, and is spread over all of it", () => {
  expect([0, 1, 2, 3].map((attempt) => backoff(attempt, 1))).toEqual([BASE, 2 * BASE, 4 * BASE, 8 * BASE]);
  expect(backoff(50, 1)).toBe(CAP);
  expect(backoff(50, 0)).toBe(0);
});

test("a refusal waits at least what the server said, longer each time", () => {
  expect(refusalDelay(1000, 1, 0)).toBe(1000);
  expect(refusalDelay(1000, 3, 0)).toBe(4000);
  expect(refusalDelay(1000, 1, 1)).toBe(1500);
  expect(refusalDelay(0, 1, 0)).toBeGreaterThan(0);
});

test("a failure of WebTransport counts for a while, until a success, and for its server only", () => {
  const store = new MemoryStore();
  let now = 1_000_000;
  const failures = new Failures(store, "https://a.test", () => now);
  expect(failures.recent).toBe(false);
  failures.failed();
  expect([failures.recent, new Failures(store, "https://b.test", () => now).recent]).toEqual([true, false]);
  now += FORGET;
  expect(failures.recent).toBe(false);
  failures.failed();
  failures.worked();
  expect(failures.recent).toBe(false);
});
