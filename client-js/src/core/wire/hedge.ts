/**
 * How many copies of a frame go out, when, and on what: a table, chosen by the loss that is seen
 * (docs/protocol.md, section 4, "Copies"). Why it is as it is: transport/wire/hedge.py.
 *
 * What holds always: more loss or longer bursts never mean fewer copies; exactly one copy is the
 * stream's, and it never waits for the budget.
 * Times are milliseconds.
 * May import: loss.
 */

import type { Loss } from "./loss.ts";

/** The share of frames that may lose every copy. */
export const TARGET = 2e-4;
/** Up to this loss a direction is clean: one copy. */
export const CLEAN = 0.003;
/** On a clean direction every PROBE-th frame goes by datagram too, or the loss would go unseen. */
export const PROBE = 4;
/** Between the copies where losses come alone. */
export const GAP = 15;

/** Bytes per millisecond that a session may spend on datagram copies in the long run, … */
export const BUDGET_RATE = 32.768;
/** … and at once. What goes over it goes by the stream alone. */
export const BUDGET_BURST = 65_536;

/** The copies of a frame: one more than there are gaps. */
export interface Plan {
  /** Milliseconds from one copy to the next. */
  readonly gaps: readonly number[];
  /** Which of the copies is the stream's, from 0. The others are datagrams. */
  readonly stream: number;
}

const ALONE: Plan = { gaps: [], stream: 0 };
/** The stream at once, then a datagram that is mostly there to be counted. */
export const PROBING: Plan = { gaps: [GAP], stream: 0 };

/** By number of copies, from one. The stream comes second: see hedge.py. */
export const PLANS: readonly [Plan, ...Plan[]] = [
  ALONE,
  ...[
    [15],
    [15, 15],
    [10, 15, 20],
    [8, 11, 15, 20],
    [7, 9, 12, 16, 20],
    [6, 8, 10, 13, 16, 20],
    [5, 5, 8, 11, 14, 17, 20],
    [5, 5, 5, 8, 10, 13, 17, 20],
    [5, 5, 5, 6, 9, 11, 13, 15, 18],
    [5, 5, 5, 5, 6, 9, 11, 13, 15, 15],
    [5, 5, 5, 5, 5, 6, 7, 9, 12, 14, 16],
  ].map((gaps) => ({ gaps, stream: 1 })),
];

/** The fewest copies that all get lost at most TARGET of the time, within the table. */
export function copiesFor({ lost, again }: Loss): number {
  if (lost <= CLEAN) return 1;
  let copies = 2;
  for (let all = lost * again; all > TARGET && copies < PLANS.length; all *= again) copies++;
  return copies;
}

/** The plan of so many copies, from 1. */
export function planOf(copies: number): Plan {
  return PLANS[copies - 1] ?? ALONE;
}

/** A token bucket of bytes. */
export class Budget {
  #left = BUDGET_BURST;
  #at = 0;

  /** Takes `wanted` times `size` bytes, or as many times as there are; says how many. */
  take(size: number, wanted: number, now: number): number {
    this.#left = Math.min(BUDGET_BURST, this.#left + Math.max(0, now - this.#at) * BUDGET_RATE);
    this.#at = now;
    const got = Math.min(wanted, Math.floor(this.#left / size));
    this.#left -= got * size;
    return got;
  }
}
