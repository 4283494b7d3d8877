import { expect, test } from "vitest";
import { Drafts, MAX_DRAFTS } from "../../../src/core/state/drafts.ts";
import { MemoryStore } from "../../../src/core/state/storage.ts";

test("a draft is kept through a reload, and gone when it is empty", () => {
  const store = new MemoryStore();
  expect(new Drafts(store, "s").set("c", "half a")).toBe(true);
  expect(new Drafts(store, "s").get("c")).toBe("half a");
  expect(new Drafts(store, "s").set("c", "half a")).toBe(false);
  expect(new Drafts(store, "other").get("c")).toBe("");
  new Drafts(store, "s").set("c", "");
  expect(store.keys("")).toEqual([]);
});

test("so many are kept and no more", () => {
  const store = new MemoryStore();
  const drafts = new Drafts(store, "s");
  for (let at = 0; at < MAX_DRAFTS + 5; at++) drafts.set(`c${100 + at}`, "x");
  expect(store.keys("")).toHaveLength(MAX_DRAFTS);
  expect(drafts.get("c100")).toBe("");
});
