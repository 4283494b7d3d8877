/**
 * Asks the server while somebody types: after a short rest, the newest question only, page after page.
 *
 * What holds always: what is shown belongs to one question; an answer that comes after another question was asked is
 * dropped; while a new one is asked the old answer stays, so that the list does not flicker.
 * May import: the core's types.
 */
import type { SearchHit, SearchPage, SearchPerson } from "../../core/api.ts";

/** Milliseconds without a key before the server is asked. */
export const REST = 160;
/** Milliseconds after which nobody believes in an answer any more. */
export const PATIENCE = 8_000;

export interface SearchState {
  /** idle: nothing is looked for. searching: an answer is on its way; there may be an older one to show. */
  readonly phase: "idle" | "searching" | "found" | "failed";
  /** What `people` and `hits` were found by. */
  readonly query: string;
  readonly people: readonly SearchPerson[];
  readonly hits: readonly SearchHit[];
  readonly cursor: string | null;
  readonly loadingMore: boolean;
}

const IDLE: SearchState = { phase: "idle", query: "", people: [], hits: [], cursor: null, loadingMore: false };

type Ask = (query: string, cursor: string | null) => Promise<SearchPage>;

export class Searcher {
  readonly #ask: Ask;
  readonly #changed: (state: SearchState) => void;
  #state = IDLE;
  #wanted = "";
  /** Goes up with every question: an answer to an older one is not heard. */
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: Ask, changed: (state: SearchState) => void) {
    this.#ask = ask;
    this.#changed = changed;
  }

  get state(): SearchState {
    return this.#state;
  }

  /** Somebody has typed. */
  look(text: string): void {
    const query = text.trim().replace(/\s+/g, " ");
    if (query === this.#wanted) return;
    this.#wanted = query;
    this.#turn += 1;
    clearTimeout(this.#timer);
    if (query === "") {
      this.#set(IDLE);
      return;
    }
    this.#set({ ...this.#state, phase: "searching", loadingMore: false });
    this.#timer = setTimeout(() => void this.#first(), REST);
  }

  retry(): void {
    if (this.#state.phase !== "failed") return;
    this.#set({ ...this.#state, phase: "searching" });
    void this.#first();
  }

  /** The reader nears the end of the list. */
  more(): void {
    const { phase, cursor, loadingMore } = this.#state;
    if (phase !== "found" || cursor === null || loadingMore) return;
    this.#set({ ...this.#state, loadingMore: true });
    void this.#next(cursor);
  }

  stop(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  async #first(): Promise<void> {
    const query = this.#wanted;
    const page = await this.#answer(query, null);
    if (page === "late") return;
    if (page === "failed") this.#set({ ...IDLE, phase: "failed", query });
    else this.#set({ phase: "found", query, ...page, loadingMore: false });
  }

  async #next(from: string): Promise<void> {
    const page = await this.#answer(this.#wanted, from);
    if (page === "late") return;
    if (page === "failed") {
      // What is there stays; the next scroll tries again.
      this.#set({ ...this.#state, loadingMore: false });
      return;
    }
    this.#set({
      ...this.#state,
      hits: [...this.#state.hits, ...page.hits],
      cursor: page.cursor,
      loadingMore: false,
    });
  }

  async #answer(query: string, cursor: string | null): Promise<SearchPage | "late" | "failed"> {
    const turn = ++this.#turn;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<"failed">((resolve) => {
      timer = setTimeout(() => resolve("failed"), PATIENCE);
    });
    const page = await Promise.race([this.#ask(query, cursor).catch(() => "failed" as const), tooLong]);
    clearTimeout(timer);
    return turn === this.#turn ? page : "late";
  }

  #set(state: SearchState): void {
    this.#state = Object.freeze(state);
    this.#changed(this.#state);
  }
}
