/**
 * The conversations whose logs this client holds, and the views it makes of them.
 *
 * What holds always: a view is made anew only after `touch`; the one that was used longest ago goes first.
 * Bound: MAX_HELD, so that every position fits into `hello`.
 * May import: state.
 */

import type { ConversationView, PersonId } from "../api.ts";
import { type FoldContext, fold } from "../state/fold.ts";
import { Log } from "../state/log.ts";
import type { Position } from "../wire/frames.ts";

export const MAX_HELD = 60;

export class Held {
  readonly id: string;
  readonly log = new Log();
  readonly received = new Map<PersonId, number>();
  /** Replayed entries up to here are no news. */
  quietUntil = 0;
  /** A fetch that runs. */
  loading: Promise<void> | null = null;
  #view: ConversationView | null = null;

  constructor(id: string) {
    this.id = id;
  }

  touch(): void {
    this.#view = null;
  }

  markReceived(who: PersonId, seq: number): void {
    if (seq <= (this.received.get(who) ?? 0)) return;
    this.received.set(who, seq);
    this.touch();
  }

  /** The view; made anew only when something changed. */
  view(context: () => Omit<FoldContext, "received"> & Pick<ConversationView, "typing" | "draft">): ConversationView {
    if (this.#view !== null) return this.#view;
    const { typing, draft, ...more } = context();
    const folded = fold(this.log.entries, { ...more, received: this.received });
    this.#view = Object.freeze({ id: this.id, ...folded, hasOlder: this.log.hasOlder, typing, draft });
    return this.#view;
  }
}

export class Shelf {
  readonly #held = new Map<string, Held>();

  get(id: string): Held | undefined {
    return this.#held.get(id);
  }

  /** The conversation, held from now on and used just now. `keep` says which must not go to make room. */
  hold(id: string, keep: (id: string) => boolean): Held {
    const held = this.#held.get(id) ?? new Held(id);
    this.#held.delete(id);
    this.#held.set(id, held);
    for (const other of this.#held.keys()) {
      if (this.#held.size <= MAX_HELD) break;
      if (other !== id && !keep(other)) this.#held.delete(other);
    }
    return held;
  }

  positions(): Position[] {
    return [...this.#held.values()].slice(-MAX_HELD).map(({ id, log }) => ({
      conversation: id,
      epoch: log.epoch,
      seq: log.last,
    }));
  }

  touchAll(): void {
    for (const held of this.#held.values()) held.touch();
  }

  clear(): void {
    this.#held.clear();
  }
}
