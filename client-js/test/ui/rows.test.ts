import { describe, expect, it } from "vitest";
import type { Message, TimelineItem } from "../../src/core/api.ts";
import { GROUP_GAP, markBefore, type Row, showsMeta, toRows } from "../../src/ui/rows.ts";

const NOON = new Date(2026, 10, 23, 12).getTime();

function item(seq: number | null, change: Partial<Message> = {}): TimelineItem {
  const message: Message = {
    clientId: `id-${seq ?? "new"}`,
    seq,
    author: "v:1",
    mine: true,
    kind: "message",
    text: "x",
    edited: false,
    deleted: false,
    at: NOON + (seq ?? 99),
    state: "sent",
    error: null,
    ...change,
  };
  return { type: "message", message };
}
const closed = (seq: number): TimelineItem => ({
  type: "happening",
  happening: { seq, kind: "status", author: "a:1", at: NOON + seq, status: "closed" },
});
const other = { author: "a:1", mine: false };
const shape = (rows: Row[]): string[] =>
  rows.map((row) => (row.type === "group" ? `${row.author}x${row.messages.length}` : row.type));

describe("rows", () => {
  it("are none of nothing", () => expect(toRows([], null)).toEqual([]));

  it("group what one person writes", () => {
    expect(shape(toRows([item(1), item(2), item(3, other), item(4)], null))).toEqual([
      "day",
      "v:1x2",
      "a:1x1",
      "v:1x1",
    ]);
  });

  it("part at a silence, a happening, a note and midnight", () => {
    const later = { at: NOON + GROUP_GAP + 1 };
    expect(shape(toRows([item(1), item(2, later)], null))).toEqual(["day", "v:1x1", "v:1x1"]);
    expect(shape(toRows([item(1), closed(2), item(3)], null))).toEqual(["day", "v:1x1", "happening", "v:1x1"]);
    expect(shape(toRows([item(1), item(2, { kind: "note" })], null))).toEqual(["day", "v:1x1", "v:1x1"]);
    const [late, early] = [new Date(2026, 10, 23, 23, 59), new Date(2026, 10, 24, 0, 1)].map(Number);
    expect(shape(toRows([item(1, { at: late as number }), item(2, { at: early as number })], null))).toEqual([
      "day",
      "v:1x1",
      "day",
      "v:1x1",
    ]);
  });

  it("mark the first unread message of others, once", () => {
    const timeline = [item(1, other), item(2), item(3, other), item(4, other)];
    expect(shape(toRows(timeline, 1))).toEqual(["day", "a:1x1", "v:1x1", "unread", "a:1x2"]);
    expect(shape(toRows(timeline, 4))).not.toContain("unread");
    expect(shape(toRows([item(1), item(null)], 0))).not.toContain("unread");
  });

  it("find the mark from the number of unread messages", () => {
    const timeline = [item(1, other), item(2, other), closed(3), item(4), item(5, other), item(null)];
    expect(markBefore(timeline, 0)).toBeNull();
    expect(markBefore(timeline, 1)).toBe(4);
    expect(markBefore(timeline, 2)).toBe(1);
    expect(markBefore(timeline, 9)).toBe(0);
  });

  it("have keys of their own", () => {
    const keys = toRows([item(1), closed(2), item(3, other), item(null)], 0).map((row) => row.key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("show the ticks where they change", () => {
    const rows = toRows([item(1, { state: "read" }), item(2), item(3), item(null, { state: "sending" })], null);
    const group = rows[1];
    if (group?.type !== "group") throw new Error("no group");
    expect(group.messages.map((_, index) => showsMeta(group, index))).toEqual([true, false, true, true]);
  });
});
