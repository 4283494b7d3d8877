import { describe, expect, test } from "vitest";
import { Summaries } from "../../../src/core/client/summaries.ts";
import type { Entry } from "../../../src/core/state/log.ts";
import { summaryFrom } from "../../../src/core/state/summary.ts";
import { toBytes } from "../../../src/core/wire/uuid.ts";

const ID = "0190b3a0-7c4e-7d3a-9b1e-000000000001";
const ADA = "a:ada";

const wire = (more: object = {}): object => ({
  id: toBytes(ID),
  visitor: { id: "v:1", name: "Jo", email: null, page: "https://shop.test/" },
  status: "open",
  assignee: null,
  epoch: 1,
  head: 3,
  last: { seq: 3, author: "v:1", kind: "message", text: "hi", at: 30 },
  unread: 1,
  presence: { state: "online", transport: "webtransport" },
  created_at: 10,
  updated_at: 30,
  ...more,
});

const entry = (seq: number, author: string, kind: string, body: Entry["body"]): Entry => ({
  epoch: 1,
  seq,
  author,
  clientId: `${seq}`,
  kind,
  body,
  at: seq * 10,
});

describe("summaries", () => {
  test("are read from the wire, whatever is missing", () => {
    expect(summaryFrom(wire())).toMatchObject({
      id: ID,
      visitor: { id: "v:1", name: "Jo", page: "https://shop.test/" },
      presence: { state: "online", transport: "webtransport" },
      createdAt: 10,
    });
    expect(summaryFrom({ id: ID })).toMatchObject({ status: "open", last: null, unread: 0, rating: null });
    expect(summaryFrom({ id: "nonsense" })).toBeNull();
    expect(summaryFrom(null)).toBeNull();
  });

  test("are moved by entries, once", () => {
    const summaries = new Summaries();
    summaries.put(wire());
    const steps = [
      entry(3, "v:1", "message", { text: "hi" }),
      entry(4, ADA, "assignment", { agent: ADA }),
      entry(5, ADA, "read", { seq: 3 }),
      entry(6, "v:1", "message", { text: "more" }),
      entry(6, "v:1", "message", { text: "more" }),
      entry(7, "v:1", "edit", { seq: 6, text: "more!" }),
      entry(8, ADA, "status", { status: "closed" }),
      entry(9, "v:1", "rating", { score: 4 }),
    ];
    expect(steps.map((step) => summaries.move(ID, step, ADA))).toEqual([
      "old",
      "moved",
      "moved",
      "moved",
      "old",
      "moved",
      "moved",
      "moved",
    ]);
    expect(summaries.get(ID)).toMatchObject({
      assignee: ADA,
      unread: 1,
      last: { seq: 6, text: "more!" },
      status: "closed",
      rating: 4,
      updatedAt: 90,
    });
    expect(summaries.move("other", entry(1, ADA, "message", {}), ADA)).toBe("unknown");
  });

  test("one from the wire that is older than what is known is passed over", () => {
    const summaries = new Summaries();
    summaries.put(wire());
    summaries.move(ID, entry(4, "v:1", "message", { text: "newer" }), ADA);
    summaries.put(wire());
    expect(summaries.get(ID)?.last?.text).toBe("newer");
  });

  test("the list is the same until something changes", () => {
    const summaries = new Summaries();
    summaries.put(wire());
    const before = summaries.list;
    summaries.patch(ID, { unread: 1 });
    expect(summaries.list).toBe(before);
    summaries.patch(ID, { unread: 0 });
    expect(summaries.list).not.toBe(before);
  });
});
