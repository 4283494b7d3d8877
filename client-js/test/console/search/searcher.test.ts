import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PATIENCE, REST, Searcher, type SearchState } from "../../../src/console/search/searcher.ts";
import type { SearchHit, SearchPage } from "../../../src/core/api.ts";

type Answer = { query: string; cursor: string | null; give: (page: SearchPage) => void; refuse: () => void };

let asked: Answer[];
let seen: SearchState[];
let searcher: Searcher;

const page = (texts: readonly string[], cursor: string | null = null): SearchPage => ({
  hits: texts.map((text) => ({ excerpt: [text] }) as unknown as SearchHit),
  people: [],
  cursor,
});
const texts = (): string[] => searcher.state.hits.map(({ excerpt }) => excerpt.join(""));
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const last = (): Answer => asked.at(-1) as Answer;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  seen = [];
  searcher = new Searcher(
    (query, cursor) =>
      new Promise((give, reject) => asked.push({ query, cursor, give, refuse: () => reject(new Error("no")) })),
    (state) => seen.push(state),
  );
});
afterEach(() => {
  searcher.stop();
  vi.useRealTimers();
});

describe("searching while somebody types", () => {
  it("asks once they rest, for what stands there then", async () => {
    for (const text of ["p", "pa", "par"]) {
      searcher.look(text);
      await pass(REST / 2);
    }
    expect(asked).toHaveLength(0);
    expect(searcher.state.phase).toBe("searching");
    await pass(REST);
    expect(asked.map(({ query }) => query)).toEqual(["par"]);
    last().give(page(["parcel"]));
    await pass(0);
    expect(searcher.state.phase).toBe("found");
    expect(texts()).toEqual(["parcel"]);
  });

  it("does not ask again for the same words", async () => {
    searcher.look("blue  mug");
    await pass(REST);
    searcher.look(" blue mug ");
    await pass(REST);
    expect(asked.map(({ query }) => query)).toEqual(["blue mug"]);
  });

  it("keeps the old answer until the new one is there, and never goes back", async () => {
    searcher.look("one");
    await pass(REST);
    const first = last();
    searcher.look("two");
    await pass(REST);
    last().give(page(["two"]));
    await pass(0);
    first.give(page(["one"]));
    await pass(0);
    expect(texts()).toEqual(["two"]);
    searcher.look("three");
    expect(searcher.state.phase).toBe("searching");
    expect(texts()).toEqual(["two"]);
  });

  it("is idle without words, whatever is still on its way", async () => {
    searcher.look("one");
    await pass(REST);
    searcher.look("  ");
    last().give(page(["one"]));
    await pass(0);
    expect(searcher.state.phase).toBe("idle");
    expect(texts()).toEqual([]);
  });

  it("says when there is no answer, and asks again when told to", async () => {
    searcher.look("one");
    await pass(REST);
    last().refuse();
    await pass(0);
    expect(searcher.state.phase).toBe("failed");
    searcher.retry();
    expect(searcher.state.phase).toBe("searching");
    await pass(PATIENCE);
    expect(searcher.state.phase).toBe("failed");
    searcher.retry();
    last().give(page(["one"]));
    await pass(0);
    expect(texts()).toEqual(["one"]);
  });
});

describe("more pages", () => {
  it("follow the cursor until there is none", async () => {
    searcher.look("one");
    await pass(REST);
    last().give(page(["1", "2"], "c1"));
    await pass(0);
    searcher.more();
    searcher.more();
    expect(asked).toHaveLength(2);
    expect(last().cursor).toBe("c1");
    expect(searcher.state.loadingMore).toBe(true);
    last().give(page(["3"]));
    await pass(0);
    expect(texts()).toEqual(["1", "2", "3"]);
    searcher.more();
    expect(asked).toHaveLength(2);
  });

  it("that fail can be asked for again; those of an older question are dropped", async () => {
    searcher.look("one");
    await pass(REST);
    last().give(page(["1"], "c1"));
    await pass(0);
    searcher.more();
    last().refuse();
    await pass(0);
    expect([searcher.state.phase, searcher.state.loadingMore]).toEqual(["found", false]);
    searcher.more();
    const late = last();
    searcher.look("two");
    await pass(REST);
    last().give(page(["two"]));
    late.give(page(["1b"]));
    await pass(0);
    expect(texts()).toEqual(["two"]);
  });

  it("are not asked for while another question waits", async () => {
    searcher.look("one");
    await pass(REST);
    last().give(page(["1"], "c1"));
    await pass(0);
    searcher.look("two");
    searcher.more();
    expect(asked).toHaveLength(1);
  });
});
