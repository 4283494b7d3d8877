/**
 * Fetching what a held conversation lacks: its newest page, an older page, all back to an entry, or what
 * lies in a gap.
 *
 * What holds always: one fetch per conversation at a time; a fetch that is refused leaves the log as it is.
 * Bounds: GAP_ROUNDS pages to fill a gap; one that is wider is given up for the newest page. REACH_ROUNDS pages back
 * to an old entry; what is older is not reached.
 * May import: held, calls, wire.
 */

import { CallRefused } from "../state/calls.ts";
import { decodeEntry } from "../wire/codec.ts";
import { RemoteProtocolError } from "../wire/errors.ts";
import type { WireMap } from "../wire/frames.ts";
import { toBytes } from "../wire/uuid.ts";
import type { Held } from "./held.ts";

export const PAGE = 50;
export const GAP_PAGE = 100;
export const GAP_ROUNDS = 10;
export const REACH_ROUNDS = 200;

type Ask = (method: string, params: WireMap) => Promise<WireMap>;

export class History {
  readonly #ask: Ask;
  /** The log has grown. */
  readonly #grown: (held: Held) => void;

  constructor(ask: Ask, grown: (held: Held) => void) {
    this.#ask = ask;
    this.#grown = grown;
  }

  newest(held: Held): Promise<void> {
    return this.#alone(held, async () => {
      await this.#page(held, { limit: PAGE }, true);
      await this.#fillGap(held);
    });
  }

  older(held: Held): Promise<void> {
    if (!held.log.hasOlder) return Promise.resolve();
    return this.#alone(held, () => this.#page(held, { before: held.log.first, limit: PAGE }, false));
  }

  /** Goes back until the entry `seq` is held; gives up where a page brings nothing. */
  reach(held: Held, seq: number): Promise<void> {
    return this.#alone(held, async () => {
      if (held.log.last === 0) await this.#page(held, { limit: PAGE }, true);
      for (let round = 0; held.log.first > seq && round < REACH_ROUNDS; round++) {
        const before = held.log.first;
        await this.#page(held, { before, limit: GAP_PAGE }, false);
        if (held.log.first === before) return;
      }
    });
  }

  fillGap(held: Held): Promise<void> {
    return this.#alone(held, () => this.#fillGap(held));
  }

  async #fillGap(held: Held): Promise<void> {
    for (let round = 0; held.log.hasGap; round++) {
      const before = held.log.last;
      const anew = before === 0 || round >= GAP_ROUNDS;
      await this.#page(held, anew ? { limit: PAGE } : { after: before, limit: GAP_PAGE }, anew);
      if (held.log.last === before || round > GAP_ROUNDS) return;
    }
  }

  /** Runs after the fetch that runs already. */
  #alone(held: Held, fetch: () => Promise<void>): Promise<void> {
    const run = (held.loading ?? Promise.resolve()).then(fetch).catch(passOver);
    held.loading = run;
    return run.finally(() => {
      if (held.loading === run) held.loading = null;
    });
  }

  async #page(held: Held, range: { before?: number; after?: number; limit: number }, anew: boolean): Promise<void> {
    const { before = null, after = null, limit } = range;
    const value = await this.#ask("history", { conversation: toBytes(held.id), before, after, limit });
    const entries = Array.isArray(value.entries) ? value.entries.map(decodeEntry) : [];
    held.log.merge(Number(value.epoch) || 0, entries, anew);
    this.#grown(held);
  }
}

/** A conversation that is not there yet, or a stop, or a server that talks nonsense: the log stays as it is. */
function passOver(error: unknown): void {
  if (!(error instanceof CallRefused || error instanceof RemoteProtocolError)) throw error;
}
