/**
 * The conversations that this client knows by their summaries, newest first: an agent's inbox, a
 * visitor's list.
 *
 * What holds always: an entry moves a summary once, because each remembers its newest seq.
 * May import: state.
 */

import type { PersonId, Presence, Summary } from "../api.ts";
import type { Entry } from "../state/log.ts";
import { advance, sortSummaries, summaryFrom } from "../state/summary.ts";

interface Row {
  summary: Summary;
  epoch: number;
  head: number;
}

/** moved: the summary changed. old: it knew the entry. unknown: there is no summary yet. */
export type Moved = "moved" | "old" | "unknown";

export class Summaries {
  readonly #rows = new Map<string, Row>();
  #list: readonly Summary[] | null = null;

  get list(): readonly Summary[] {
    this.#list ??= Object.freeze(sortSummaries([...this.#rows.values()].map(({ summary }) => summary)));
    return this.#list;
  }

  get(id: string): Summary | null {
    return this.#rows.get(id)?.summary ?? null;
  }

  /** Takes a summary from the wire, unless what is known is newer. */
  put(value: unknown): Summary | null {
    const summary = summaryFrom(value);
    if (summary === null) return null;
    const { epoch = 0, head = 0 } = value as { epoch?: number; head?: number };
    const known = this.#rows.get(summary.id);
    if (known !== undefined && known.epoch === epoch && known.head > head) return known.summary;
    this.#set(summary.id, { summary: { ...summary, typing: known?.summary.typing ?? false }, epoch, head });
    return summary;
  }

  /** Moves the summary of the conversation by one entry. */
  move(id: string, entry: Entry, me: PersonId | null): Moved {
    const row = this.#rows.get(id);
    if (row === undefined) return "unknown";
    if (entry.epoch < row.epoch || (entry.epoch === row.epoch && entry.seq <= row.head)) return "old";
    this.#set(id, { summary: advance(row.summary, entry, me), epoch: entry.epoch, head: entry.seq });
    return "moved";
  }

  patch(id: string, change: Partial<Summary>): void {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    const same = Object.entries(change).every(([name, value]) => row.summary[name as keyof Summary] === value);
    if (!same) this.#set(id, { ...row, summary: { ...row.summary, ...change } });
  }

  setPresence(who: PersonId, presence: Presence): void {
    for (const [id, { summary }] of this.#rows) if (summary.visitor.id === who) this.patch(id, { presence });
  }

  clear(): void {
    this.#rows.clear();
    this.#list = null;
  }

  #set(id: string, row: Row): void {
    this.#rows.set(id, { ...row, summary: Object.freeze(row.summary) });
    this.#list = null;
  }
}
