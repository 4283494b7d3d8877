/**
 * The outbox: what a person has sent and the server has not put on disk yet, kept through a reload.
 *
 * What holds always: an entry stays until it is accepted, discarded, or refused for good (then it stays
 * as failed, for the person to see); entries come in the order of their ids, which is the order of
 * sending; one key of the store holds one entry, so that tabs never overwrite each other's.
 * Bound: MAX_ENTRIES. Over it a new entry is failed at once, is not stored, and says why.
 * May import: storage.
 */

import { type KeyValue, readJson } from "./storage.ts";

export const MAX_ENTRIES = 200;

export interface Failure {
  readonly code: string;
  readonly message: string;
}

export interface OutboxEntry {
  readonly clientId: string;
  readonly conversation: string;
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly at: number;
  readonly failure: Failure | null;
  /** Its seq once it was accepted: then it is only shown until the log brings it. */
  readonly accepted: number | null;
  /** Whether this region has it on disk, while the one that orders the conversation does not yet. */
  readonly queued?: boolean;
}

const FULL: Failure = {
  code: "outbox_full",
  message: "Too many messages wait for the network. Try again when the others have gone.",
};

export class Outbox {
  readonly #store: KeyValue;
  readonly #prefix: string;
  #entries: readonly OutboxEntry[] = [];

  /** `scope` names server and person: each has their own outbox. */
  constructor(store: KeyValue, scope: string) {
    this.#store = store;
    this.#prefix = `tradewind:outbox:${scope}:`;
    const kept = store.keys(this.#prefix).map((key) => readJson<OutboxEntry>(store, key));
    this.#replace(kept.filter((entry) => entry !== null));
  }

  /** In the order of sending. The same array until something changes. */
  get entries(): readonly OutboxEntry[] {
    return this.#entries;
  }

  get(clientId: string): OutboxEntry | undefined {
    return this.#entries.find((entry) => entry.clientId === clientId);
  }

  of(conversation: string): readonly OutboxEntry[] {
    return this.#entries.filter((entry) => entry.conversation === conversation);
  }

  /** Adds an entry; with a `failure`, one that is only there to be shown. */
  add(entry: Omit<OutboxEntry, "failure" | "accepted">, failure: Failure | null = null): OutboxEntry {
    const full = this.#entries.length >= MAX_ENTRIES;
    const added = { ...entry, failure: full ? FULL : failure, accepted: null };
    if (!full) this.#store.set(this.#prefix + entry.clientId, JSON.stringify(added));
    this.#replace([...this.#entries, added]);
    return added;
  }

  fail(clientId: string, failure: Failure): void {
    const entry = this.get(clientId);
    if (entry === undefined) return;
    const failed = { ...entry, failure };
    if (failure !== FULL) this.#store.set(this.#prefix + clientId, JSON.stringify(failed));
    this.#replace(this.#entries.map((other) => (other === entry ? failed : other)));
  }

  /** It is on the server's disk: it need not survive a reload any more. */
  accept(clientId: string, seq: number): void {
    const entry = this.get(clientId);
    if (entry === undefined) return;
    this.#store.remove(this.#prefix + clientId);
    this.#replace(this.#entries.map((other) => (other === entry ? { ...entry, accepted: seq, failure: null } : other)));
  }

  /** This region has it on disk; it stays until the log brings it, or the region that orders it refuses it. */
  queue(clientId: string): void {
    this.#replace(this.#entries.map((entry) => (entry.clientId === clientId ? { ...entry, queued: true } : entry)));
  }

  /** Drops what the log of `conversation`, held up to `last`, has brought. */
  prune(conversation: string, last: number): void {
    const kept = this.#entries.filter(
      (entry) => entry.conversation !== conversation || (entry.accepted ?? last + 1) > last,
    );
    if (kept.length < this.#entries.length) this.#entries = kept;
  }

  /** Whether it was there. */
  remove(clientId: string): boolean {
    if (this.get(clientId) === undefined) return false;
    this.#store.remove(this.#prefix + clientId);
    this.#replace(this.#entries.filter((entry) => entry.clientId !== clientId));
    return true;
  }

  /** Forgets everything, on disk too. */
  clear(): void {
    for (const { clientId } of this.#entries) this.#store.remove(this.#prefix + clientId);
    this.#entries = [];
  }

  /** Another tab removed a key: what it has brought to the server need not be sent here. The entry, if it was here. */
  removedElsewhere(key: string): OutboxEntry | null {
    if (!key.startsWith(this.#prefix)) return null;
    const entry = this.get(key.slice(this.#prefix.length)) ?? null;
    if (entry !== null) this.remove(entry.clientId);
    return entry;
  }

  #replace(entries: OutboxEntry[]): void {
    this.#entries = entries.sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
  }
}
