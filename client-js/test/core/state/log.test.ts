import { describe, expect, test } from "vitest";
import { AHEAD, type Entry, Log } from "../../../src/core/state/log.ts";

const entry = (seq: number, epoch = 1): Entry => ({
  epoch,
  seq,
  author: "v:x",
  clientId: `${seq}`,
  kind: "message",
  body: { text: `${seq}` },
  at: seq,
});
const page = (from: number, to: number, epoch = 1): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, epoch));
const seqs = (log: Log): number[] => log.entries.map(({ seq }) => seq);

function filled(to: number): Log {
  const log = new Log();
  for (const each of page(1, to)) log.deliver(each);
  return log;
}

describe("delivery", () => {
  test("in order: added; again: ignored", () => {
    const log = new Log();
    expect([1, 2, 2, 1, 3].map((seq) => log.deliver(entry(seq)))).toEqual([
      "added",
      "added",
      "ignored",
      "ignored",
      "added",
    ]);
    expect(seqs(log)).toEqual([1, 2, 3]);
  });

  test("past a gap: kept, and joined when the gap is filled", () => {
    const log = filled(2);
    expect([5, 4].map((seq) => log.deliver(entry(seq)))).toEqual(["gap", "gap"]);
    expect([seqs(log), log.hasGap]).toEqual([[1, 2], true]);
    log.merge(1, [entry(3)], false);
    expect([seqs(log), log.hasGap, log.last]).toEqual([[1, 2, 3, 4, 5], false, 5]);
  });

  test("what waits past a gap is bounded", () => {
    const log = filled(1);
    for (let seq = 3; seq < 3 + AHEAD + 10; seq++) log.deliver(entry(seq));
    log.merge(1, [entry(2)], false);
    expect(log.hasGap).toBe(true);
    expect(log.last).toBe(2);
  });

  test("an older epoch is ignored, a newer one drops what is held", () => {
    const log = filled(3);
    expect(log.deliver(entry(4, 2))).toBe("reset");
    expect(seqs(log)).toEqual([]);
    log.merge(2, page(1, 3, 2), true);
    expect(seqs(log)).toEqual([1, 2, 3, 4]);
    expect(log.deliver(entry(5, 1))).toBe("ignored");
  });
});

describe("history", () => {
  test("the newest page fills an empty log, older pages go before it", () => {
    const log = new Log();
    log.merge(1, page(51, 100), true);
    expect([log.first, log.last, log.hasOlder]).toEqual([51, 100, true]);
    log.merge(1, page(1, 50), false);
    expect([log.first, log.last, log.hasOlder]).toEqual([1, 100, false]);
    expect(seqs(log)).toEqual(page(1, 100).map(({ seq }) => seq));
  });

  test("a page that overlaps adds nothing twice", () => {
    const log = filled(5);
    log.merge(1, page(3, 8), true);
    expect(seqs(log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a newest page that does not join replaces, any other is passed over", () => {
    const log = filled(5);
    log.merge(1, page(8, 9), false);
    expect(seqs(log)).toEqual([1, 2, 3, 4, 5]);
    log.merge(1, page(8, 9), true);
    expect(seqs(log)).toEqual([8, 9]);
  });

  test("a page of another epoch that comes late changes nothing", () => {
    const log = new Log();
    log.merge(2, page(1, 3, 2), true);
    log.merge(1, page(1, 9), true);
    expect([seqs(log), log.epoch]).toEqual([[1, 2, 3], 2]);
  });

  test("however they come in, the entries are the same", () => {
    const log = new Log();
    log.deliver(entry(9));
    log.merge(1, page(4, 7), true);
    log.deliver(entry(8));
    log.deliver(entry(10));
    log.merge(1, page(1, 3), false);
    expect(seqs(log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});
