/**
 * What a person has typed and not sent, per conversation, kept through a reload.
 *
 * Bound: MAX_DRAFTS are kept; over it the conversation that began earliest is forgotten.
 * May import: storage.
 */

import type { KeyValue } from "./storage.ts";

export const MAX_DRAFTS = 50;

export class Drafts {
  readonly #store: KeyValue;
  readonly #prefix: string;

  constructor(store: KeyValue, scope: string) {
    this.#store = store;
    this.#prefix = `tradewind:draft:${scope}:`;
  }

  get(conversation: string): string {
    return this.#store.get(this.#prefix + conversation) ?? "";
  }

  /** Whether that changed anything. */
  set(conversation: string, text: string): boolean {
    if (this.get(conversation) === text) return false;
    if (text === "") this.#store.remove(this.#prefix + conversation);
    else this.#store.set(this.#prefix + conversation, text);
    this.#bound();
    return true;
  }

  clear(): void {
    for (const key of this.#store.keys(this.#prefix)) this.#store.remove(key);
  }

  #bound(): void {
    const keys = this.#store.keys(this.#prefix).sort();
    for (const key of keys.slice(0, Math.max(0, keys.length - MAX_DRAFTS))) this.#store.remove(key);
  }
}
