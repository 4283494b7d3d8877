/**
 * The part of a conversation's log that this client holds: entries `first` to `last` without a gap, and
 * what came ahead of a gap until the gap is filled.
 *
 * What holds always: `entries` is ascending and gapless; an entry is added once; all are of one epoch.
 * Bound: AHEAD entries wait past a gap; over it they are dropped and fetched like the gap itself.
 * May import: nothing.
 */

export const AHEAD = 500;

/** One entry of the log, UUIDs as text. */
export interface Entry {
  readonly epoch: number;
  readonly seq: number;
  readonly author: string;
  readonly clientId: string;
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly at: number;
}

/** added: the view changed. gap: fetch what lies between. reset: another epoch: fetch anew. ignored: held already. */
export type Taken = "added" | "gap" | "reset" | "ignored";

export class Log {
  #entries: readonly Entry[] = [];
  #ahead = new Map<number, Entry>();
  #epoch = 0;
  #last = 0;

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** The newest seq held; 0 for nothing. */
  get last(): number {
    return this.#last;
  }

  get first(): number {
    return this.#entries[0]?.seq ?? this.#last + 1;
  }

  get hasOlder(): boolean {
    return this.first > 1;
  }

  /** Something came that does not join what is held. */
  get hasGap(): boolean {
    return this.#ahead.size > 0;
  }

  clear(): void {
    this.#entries = [];
    this.#ahead.clear();
    this.#epoch = 0;
    this.#last = 0;
  }

  /** One entry that was delivered. */
  deliver(entry: Entry): Taken {
    if (entry.epoch < this.#epoch) return "ignored";
    if (entry.epoch > this.#epoch && this.#epoch > 0) {
      this.clear();
      return this.#wait(entry, "reset");
    }
    if (entry.seq <= this.#last) return "ignored";
    if (entry.seq > this.#last + 1) return this.#wait(entry, "gap");
    this.#append([entry]);
    return "added";
  }

  /**
   * A page of history, ascending. A page that joins what is held extends it at either end; the newest
   * page (`anew`) replaces it when it does not.
   */
  merge(epoch: number, page: readonly Entry[], anew: boolean): void {
    if (epoch < this.#epoch) return;
    if (epoch > this.#epoch && this.#epoch > 0) this.clear();
    const start = page[0]?.seq ?? 0;
    const end = page.at(-1)?.seq ?? 0;
    if (page.length === 0) return;
    if (this.#last === 0 || (anew && start > this.#last + 1)) {
      this.#entries = [];
      this.#last = start - 1;
    }
    if (start <= this.#last + 1 && end > this.#last) this.#append(page.filter(({ seq }) => seq > this.#last));
    if (end >= this.first - 1 && start < this.first) {
      const older = page.filter(({ seq }) => seq < this.first);
      this.#entries = [...older, ...this.#entries];
    }
  }

  #wait(entry: Entry, taken: Taken): Taken {
    if (this.#ahead.size >= AHEAD) this.#ahead.clear();
    this.#ahead.set(entry.seq, entry);
    return taken;
  }

  /** Adds what follows `last`, and all that waited for it. */
  #append(entries: readonly Entry[]): void {
    const added = [...entries];
    this.#last = added.at(-1)?.seq ?? this.#last;
    this.#epoch = added[0]?.epoch ?? this.#epoch;
    for (let next = this.#ahead.get(this.#last + 1); next !== undefined; next = this.#ahead.get(this.#last + 1)) {
      added.push(next);
      this.#last += 1;
    }
    for (const seq of this.#ahead.keys()) if (seq <= this.#last) this.#ahead.delete(seq);
    this.#entries = [...this.#entries, ...added];
  }
}
