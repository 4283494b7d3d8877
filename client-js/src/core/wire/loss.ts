/**
 * How much one direction of a session loses: measured where datagrams arrive, used where they leave
 * (docs/protocol.md, section 4, "Reports").
 *
 *     sender ──datagram seq 1, 2, 3, …──▶ LossMeter
 *     LossEstimate ◀──── `report` ───────────┘
 *
 * What holds always: `lost` and what came add up to `upto`, whatever comes in whatever order; a datagram
 * that comes when it was already counted as lost stays lost. An estimate without evidence is the
 * cautious prior, and forgets towards it. Time and memory are bounded, also when the peer's numbers jump.
 * Times are milliseconds on any monotonic clock, given by the caller.
 * May import: nothing.
 */

/** A datagram is lost when one that left REORDER later has come, … */
export const REORDER = 64;
/** … or when one that left later came this many milliseconds ago. */
export const REORDER_TIME = 250;
/** Milliseconds between two reports, at least. */
export const REPORT_EVERY = 250;
/** Datagrams decided since the last report that are worth one. A loss always is. */
export const REPORT_NEWS = 8;

/** Datagrams after which a report counts half: it takes many to know how long bursts are. */
export const HALF_LIFE = 1024;
/** The same for the share that is lost lately: it takes few to see that a way has become bad. */
export const QUICK_HALF_LIFE = 128;
/** Milliseconds after which either counts half. */
export const HALF_TIME = 60_000;
const PRIOR_SENT = 16;
const PRIOR_LOST = 0.5;
const PRIOR_LOSSES = 8;
const PRIOR_AGAIN = 4;

/** What a direction does to datagrams. */
export interface Loss {
  /** The share of datagrams that it loses. */
  readonly lost: number;
  /** The share of losses after which the next datagram is lost too. */
  readonly again: number;
}

/** The receiving side: decides for each datagram of the peer whether it came or was lost. */
export class LossMeter {
  /** Every datagram up to this one is decided. */
  upto = 0;
  /** How many of those were lost, … */
  lost = 0;
  /** … and in how many runs of one after the other. */
  runs = 0;
  #afterLoss = false;
  /** What has come past `upto`: at most REORDER numbers. */
  readonly #seen = new Set<number>();
  #highest = 0;
  #highestAt = 0;
  /** The highest datagram that had come by `#markAt`. */
  #mark = 0;
  #markAt = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #reportedUpto = 0;
  #reportedLost = 0;

  /** A datagram came. */
  note(seq: number, now: number): void {
    if (now >= this.#highestAt + REORDER_TIME) this.#decide(this.#highest);
    else if (now >= this.#markAt + REORDER_TIME) {
      this.#decide(this.#mark);
      this.#mark = this.#highest;
      this.#markAt = now;
    }
    if (seq > this.#highest) {
      this.#decide(seq - REORDER);
      this.#highest = seq;
      this.#highestAt = now;
    }
    if (seq > this.upto) this.#seen.add(seq);
  }

  /** Whether a report is worth sending now; it counts as sent then. */
  due(now: number): boolean {
    const news = this.upto - this.#reportedUpto >= REPORT_NEWS || this.lost > this.#reportedLost;
    if (!news || now < this.#reportedAt + REPORT_EVERY) return false;
    this.#reportedAt = now;
    this.#reportedUpto = this.upto;
    this.#reportedLost = this.lost;
    return true;
  }

  /** What has not come of the datagrams up to `upto` is lost. */
  #decide(upto: number): void {
    // At most one place past the window is looked at: behind it all are lost, in one run.
    const end = Math.min(upto, this.upto + REORDER + 1);
    for (let seq = this.upto + 1; seq <= end; seq++) {
      const missing = !this.#seen.delete(seq);
      if (missing) this.lost++;
      if (missing && !this.#afterLoss) this.runs++;
      this.#afterLoss = missing;
    }
    if (upto > end) this.lost += upto - end;
    if (upto > this.upto) this.upto = upto;
  }
}

/** The sending side: what the peer's reports say of the way there, newer ones counting more. */
export class LossEstimate {
  /** Of the newest report. */
  #upto = 0;
  #gone = 0;
  #runs = 0;
  #sent = 0;
  #lost = 0;
  #again = 0;
  #quickSent = 0;
  #quickLost = 0;
  #at = 0;

  /** Takes a report; false for one that is older than the last, or cannot be true. */
  report(upto: number, lost: number, runs: number, now: number): boolean {
    const sent = upto - this.#upto;
    const gone = lost - this.#gone;
    const starts = runs - this.#runs;
    if (sent <= 0 || gone < 0 || gone > sent || starts < 0 || starts > gone) return false;
    this.#fade(sent, now);
    this.#upto = upto;
    this.#gone = lost;
    this.#runs = runs;
    const value = worth(sent / HALF_LIFE);
    this.#sent += sent * value;
    this.#lost += gone * value;
    this.#again += (gone - starts) * value;
    const quick = worth(sent / QUICK_HALF_LIFE);
    this.#quickSent += sent * quick;
    this.#quickLost += gone * quick;
    return true;
  }

  /** The estimate at `now`: the worse of the two memories, for a copy costs less than a wait. */
  loss(now: number): Loss {
    this.#fade(0, now);
    const long = (this.#lost + PRIOR_LOST) / (this.#sent + PRIOR_SENT);
    const quick = this.#quickLost / (this.#quickSent + PRIOR_SENT);
    return { lost: Math.max(long, quick), again: (this.#again + PRIOR_AGAIN) / (this.#lost + PRIOR_LOSSES) };
  }

  #fade(sent: number, now: number): void {
    const aged = Math.max(0, now - this.#at) / HALF_TIME;
    const keep = 0.5 ** (sent / HALF_LIFE + aged);
    const quick = 0.5 ** (sent / QUICK_HALF_LIFE + aged);
    this.#sent *= keep;
    this.#lost *= keep;
    this.#again *= keep;
    this.#quickSent *= quick;
    this.#quickLost *= quick;
    this.#at = now;
  }
}

/** What a datagram counts on average when the newest of its report counts one. */
function worth(halfLives: number): number {
  return (1 - 0.5 ** halfLives) / (halfLives * Math.LN2);
}
