/** Marks, typing, presence: what is coalesced, repeated and forgotten. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GAP, Marks } from "../../../src/core/state/marks.ts";
import { OFFLINE, PresenceBook, presenceFrom } from "../../../src/core/state/presence.ts";
import { EXPIRY, IDLE, REPEAT, TypingIn, TypingOut } from "../../../src/core/state/typing.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("marks", () => {
  let sent: number[];
  let open = true;
  const make = (): Marks => {
    sent = [];
    open = true;
    return new Marks((_, seq) => open && sent.push(seq) > 0);
  };

  test("the first goes at once, the rest of a second together", () => {
    const marks = make();
    for (const seq of [1, 2, 3, 2]) marks.move("c", seq);
    expect(sent).toEqual([1]);
    vi.advanceTimersByTime(GAP);
    expect(sent).toEqual([1, 3]);
    vi.advanceTimersByTime(10 * GAP);
    expect(sent).toEqual([1, 3]);
  });

  test("what could not be sent, or may have been lost, goes on the next session", () => {
    const marks = make();
    open = false;
    marks.move("c", 4);
    open = true;
    marks.restart();
    expect(sent).toEqual([4]);
    vi.advanceTimersByTime(GAP);
    marks.restart();
    expect(sent).toEqual([4, 4]);
    marks.settle("c", 4);
    vi.advanceTimersByTime(GAP);
    marks.restart();
    expect(sent).toEqual([4, 4]);
  });
});

describe("typing outwards", () => {
  test("is repeated while keys are struck, and ends when they are not", () => {
    const told: [number, boolean][] = [];
    const typing = new TypingOut((_, on) => told.push([Date.now() - zero, on]));
    const zero = Date.now();
    for (let key = 0; key < 40; key++) {
      typing.struck("c", Date.now());
      vi.advanceTimersByTime(100);
    }
    vi.advanceTimersByTime(IDLE);
    expect(told).toEqual([
      [0, true],
      [REPEAT, true],
      [3900 + IDLE, false],
    ]);
  });

  test("moving to another conversation ends it in the first", () => {
    const told: [string, boolean][] = [];
    const typing = new TypingOut((conversation, on) => told.push([conversation, on]));
    typing.struck("a", 0);
    typing.struck("b", 1);
    typing.stop();
    typing.stop();
    expect(told).toEqual([
      ["a", true],
      ["a", false],
      ["b", true],
      ["b", false],
    ]);
  });
});

describe("typing inwards", () => {
  test("several people, each until they stop or are not heard any more", () => {
    const changed = vi.fn();
    const typing = new TypingIn(changed);
    typing.set("c", "a:1", true);
    typing.set("c", "a:2", true);
    typing.set("c", "a:2", true);
    expect(typing.of("c")).toEqual(["a:1", "a:2"]);
    expect(changed).toHaveBeenCalledTimes(2);
    typing.set("c", "a:1", false);
    expect(typing.of("c")).toEqual(["a:2"]);
    vi.advanceTimersByTime(EXPIRY);
    expect(typing.of("c")).toEqual([]);
    expect(typing.of("d")).toBe(typing.of("e"));
  });
});

describe("presence", () => {
  const online = presenceFrom("online", { transport: "webtransport" });

  test("is forgotten after 50 s without a word", () => {
    const changed = vi.fn();
    const book = new PresenceBook(changed);
    book.set("v:1", online);
    vi.advanceTimersByTime(49_000);
    book.set("v:1", presenceFrom("online", { transport: "webtransport" }));
    vi.advanceTimersByTime(49_000);
    expect(book.of("v:1")).toEqual({ state: "online", transport: "webtransport" });
    expect(changed).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1_000);
    expect(book.of("v:1")).toBe(OFFLINE);
    expect(changed).toHaveBeenCalledTimes(2);
  });

  test("a list of who is there says who is not", () => {
    const book = new PresenceBook(() => undefined);
    book.set("v:1", online);
    book.replace(new Map([["v:2", online]]));
    expect([book.of("v:1"), book.of("v:2")]).toEqual([OFFLINE, online]);
    book.clear();
  });

  test("nonsense is offline", () => {
    expect(presenceFrom("asleep", null)).toBe(OFFLINE);
    expect(presenceFrom("away", { transport: 5 })).toEqual({ state: "away", transport: null });
  });
});
