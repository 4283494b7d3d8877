import { describe, expect, test } from "vitest";
import { MAX_ENTRIES, Outbox } from "../../../src/core/state/outbox.ts";
import { BrowserStore, MemoryStore } from "../../../src/core/state/storage.ts";
import { uuid7 } from "../../../src/core/wire/uuid.ts";

const command = (at: number, conversation = "c") => ({
  clientId: uuid7(1_790_000_000_000 + at),
  conversation,
  kind: "message",
  body: { text: `${at}` },
  at,
});
const texts = (outbox: Outbox): unknown[] => outbox.entries.map(({ body }) => body.text);

/** A browser's storage with room for so many characters. */
function storage(room: number): Storage {
  const map = new Map<string, string>();
  return {
    get length() {
      return map.size;
    },
    key: (at) => [...map.keys()][at] ?? null,
    getItem: (key) => map.get(key) ?? null,
    setItem(key, value) {
      const used = [...map].reduce((sum, [k, v]) => sum + (k === key ? 0 : k.length + v.length), 0);
      if (used + key.length + value.length > room) throw new DOMException("full", "QuotaExceededError");
      map.set(key, value);
    },
    removeItem: (key) => void map.delete(key),
    clear: () => map.clear(),
  };
}

describe("the outbox", () => {
  test("survives a reload, in the order of sending", () => {
    const store = new MemoryStore();
    const before = new Outbox(store, "s");
    for (const at of [1, 3, 2]) before.add(command(at));
    expect(texts(new Outbox(store, "s"))).toEqual(["1", "2", "3"]);
    expect(texts(new Outbox(store, "other"))).toEqual([]);
  });

  test("what was accepted is not there after a reload, what failed is", () => {
    const store = new MemoryStore();
    const outbox = new Outbox(store, "s");
    const [one, two] = [outbox.add(command(1)), outbox.add(command(2))];
    outbox.accept(one.clientId, 7);
    outbox.fail(two.clientId, { code: "invalid", message: "no" });
    expect(outbox.get(one.clientId)?.accepted).toBe(7);
    const after = new Outbox(store, "s");
    expect(after.entries.map(({ clientId, failure }) => [clientId, failure?.code])).toEqual([
      [two.clientId, "invalid"],
    ]);
  });

  test("accepted entries go when the log has come that far", () => {
    const outbox = new Outbox(new MemoryStore(), "s");
    outbox.accept(outbox.add(command(1)).clientId, 7);
    outbox.add(command(2));
    outbox.prune("c", 6);
    expect(texts(outbox)).toEqual(["1", "2"]);
    outbox.prune("c", 7);
    expect(texts(outbox)).toEqual(["2"]);
  });

  test("over its bound an entry fails at once, says why, and is not stored", () => {
    const store = new MemoryStore();
    const outbox = new Outbox(store, "s");
    for (let at = 0; at < MAX_ENTRIES; at++) outbox.add(command(at));
    const over = outbox.add(command(MAX_ENTRIES));
    expect(over.failure?.code).toBe("outbox_full");
    expect(new Outbox(store, "s").entries).toHaveLength(MAX_ENTRIES);
  });

  test("two tabs do not overwrite each other", () => {
    const store = new MemoryStore();
    const [one, two] = [new Outbox(store, "s"), new Outbox(store, "s")];
    one.add(command(1));
    const kept = two.add(command(2));
    const gone = one.entries[0]?.clientId ?? "";
    one.remove(gone);
    expect(texts(new Outbox(store, "s"))).toEqual(["2"]);
    expect(one.removedElsewhere("tradewind:outbox:s:unknown")).toBeNull();
    expect(two.removedElsewhere(`tradewind:outbox:s:${kept.clientId}`)?.clientId).toBe(kept.clientId);
  });

  test("a full quota, or no storage at all, keeps entries for this page", () => {
    const full = new BrowserStore(() => storageOf);
    const storageOf = storage(10);
    const none = new BrowserStore(() => {
      throw new DOMException("denied", "SecurityError");
    });
    for (const store of [full, none]) {
      const outbox = new Outbox(store, "s");
      const entry = outbox.add(command(1));
      expect(texts(outbox)).toEqual(["1"]);
      expect(texts(new Outbox(store, "s"))).toEqual(["1"]);
      outbox.remove(entry.clientId);
      expect(texts(new Outbox(store, "s"))).toEqual([]);
    }
  });

  test("what somebody else wrote there is passed over", () => {
    const store = new MemoryStore();
    store.set("tradewind:outbox:s:broken", "{not json");
    expect(new Outbox(store, "s").entries).toEqual([]);
  });
});
