import { describe, expect, it } from "vitest";
import { inFilter, neighbour, select } from "../../src/console/inbox/filter.ts";
import type { Summary } from "../../src/core/api.ts";

function summary(id: string, change: Partial<Summary> = {}): Summary {
  return {
    id,
    visitor: { id: `v:${id}`, name: "Inês Carvalho", email: "ines@mail.example", page: "https://shop.example/mugs" },
    status: "open",
    assignee: null,
    last: { seq: 1, author: `v:${id}`, kind: "message", text: "Where is my parcel?", at: 0 },
    unread: 0,
    presence: { state: "offline", transport: null },
    typing: false,
    rating: null,
    createdAt: 0,
    updatedAt: 0,
    ...change,
  };
}

const inbox = [
  summary("1"),
  summary("2", { assignee: "a:me" }),
  summary("3", { assignee: "a:other" }),
  summary("4", { assignee: "a:me", status: "closed" }),
];
const ids = (rows: readonly Summary[]): string[] => rows.map(({ id }) => id);

describe("the inbox", () => {
  it.each([
    ["mine", ["2"]],
    ["unassigned", ["1"]],
    ["open", ["1", "2", "3"]],
    ["closed", ["4"]],
  ] as const)("shows under %s what belongs there", (filter, expected) => {
    expect(ids(inbox.filter((row) => inFilter(row, filter, "a:me")))).toEqual(expected);
    expect(ids(select(inbox, filter, "a:me"))).toEqual(expected);
  });

  it("moves from row to row and stops at its ends", () => {
    expect(neighbour(inbox, null, 1)).toBe("1");
    expect(neighbour(inbox, "gone", -1)).toBe("1");
    expect(neighbour(inbox, "1", 1)).toBe("2");
    expect(neighbour(inbox, "1", -1)).toBe("1");
    expect(neighbour(inbox, "4", 1)).toBe("4");
    expect(neighbour([], "1", 1)).toBeNull();
  });
});
