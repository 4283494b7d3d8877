/**
 * Whether WebTransport failed a short while ago on this network. Then the next race gives it no head
 * start: both begin at once. Kept per server for the life of the tab, forgotten after FORGET, on the
 * first success, and when the network changes.
 *
 * May import: storage.
 */

import type { KeyValue } from "../state/storage.ts";
import type { Verdict } from "./race.ts";

/** Milliseconds after which a failure counts for nothing. */
export const FORGET = 5 * 60_000;

export class Failures implements Verdict {
  readonly #store: KeyValue;
  readonly #key: string;
  readonly #now: () => number;

  constructor(store: KeyValue, server: string, now: () => number = Date.now) {
    this.#store = store;
    this.#key = `tradewind:no-webtransport:${server}`;
    this.#now = now;
  }

  get recent(): boolean {
    const at = Number(this.#store.get(this.#key) ?? Number.NaN);
    const age = this.#now() - at;
    return age >= 0 && age < FORGET;
  }

  readonly worked = (): void => this.#store.remove(this.#key);

  readonly failed = (): void => {
    this.#store.set(this.#key, String(this.#now()));
  };
}
