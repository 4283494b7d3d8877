/**
 * The sending half of the hedged lane: numbers frames, gives each a plan, and schedules its copies.
 *
 * What holds always:
 * - every numbered frame goes on the stream exactly once, in number order, whatever the copies do;
 * - no two copies of one frame come out of the same `poll`, so they never share a packet.
 *
 * Bounds: MAX_FLOWS flows are told apart, over that the one silent longest is forgotten. Copies are paid
 * from hedge's budget, which bounds what is held for them too.
 * Times are milliseconds on any monotonic clock, given by the caller.
 * May import: lane's words, hedge, loss, varint, bytes.
 */

import { concat } from "./bytes.ts";
import { Budget, copiesFor, GAP, type Plan, PROBE, PROBING, planOf } from "./hedge.ts";
import { type Counters, type Packet, WINDOW } from "./lane.ts";
import { LossEstimate } from "./loss.ts";
import * as varint from "./varint.ts";

/** How many flows a sender tells apart: as many as WINDOW, so that forgetting one cannot break its order. */
export const MAX_FLOWS = WINDOW;
/** Bytes kept free in a datagram for its `seq`, which is not known when the frame is taken. */
export const SEQ_ROOM = 8;
/** Milliseconds for which a plan stands without a report; only the passing of time changes it then. */
export const REPLAN = 1000;

export interface SendOptions {
  /** What the frame keeps its order with; null: it follows the first frame only. */
  readonly flow: string | null;
  /** Without it, or too large for a datagram, the frame goes by the stream alone. */
  readonly hedge: boolean;
}

/** A numbered frame whose copies are not all out. */
interface Pending {
  readonly number: number;
  readonly frame: Uint8Array;
  /** All of the datagram but its `seq`. */
  readonly datagram: Uint8Array;
  plan: Plan;
  /** Which copy of the plan is next, … */
  slot: number;
  /** … and when, once the first is out. */
  due: number;
  /** Whether it may go on the stream when it is its turn there, … */
  ready: boolean;
  /** … and when it did. */
  streamed: number | null;
}

/** What a sender knows of its way: the loss there, the plan that fits it, and the budget. */
class Hedging {
  readonly #counters: Counters;
  readonly #estimate = new LossEstimate();
  readonly #budget = new Budget();
  #until = 0;
  #frames = 0;

  constructor(counters: Counters) {
    this.#counters = counters;
    this.#refresh(0);
    this.#until = 0;
  }

  report(upto: number, lost: number, runs: number, now: number): boolean {
    if (!this.#estimate.report(upto, lost, runs, now)) return false;
    this.#refresh(now);
    return true;
  }

  /** The plan of the next frame, whose datagrams have `size` bytes. */
  plan(size: number, now: number): Plan {
    if (now >= this.#until) this.#refresh(now);
    const clean = this.#counters.copies === 1;
    const plan = clean ? PROBING : planOf(this.#counters.copies);
    if (clean && ++this.#frames % PROBE !== 0) return planOf(1);
    const wanted = plan.gaps.length;
    const paid = this.#budget.take(size, wanted, now);
    this.#counters.copiesUnpaid += wanted - paid;
    return paid === wanted ? plan : planOf(1 + paid);
  }

  #refresh(now: number): void {
    const loss = this.#estimate.loss(now);
    this.#until = now + REPLAN;
    this.#counters.loss = loss.lost;
    this.#counters.again = loss.again;
    this.#counters.copies = copiesFor(loss);
  }
}

/** The sending half: numbers frames and schedules their copies. */
export class LaneSender {
  readonly #maxDatagram: number;
  readonly #counters: Counters;
  readonly #hedging: Hedging | null;
  #number = 0;
  #seq = 0;
  /** Last number by flow, the flow that was silent longest first. */
  readonly #flows = new Map<string, number>();
  /** Not on the stream yet, in number order, because a Map keeps the order of insertion. */
  readonly #pending = new Map<number, Pending>();
  /** What starts at the next poll: an ephemeral frame, or a new one that may be hedged. */
  #fresh: (Uint8Array | Pending)[] = [];
  /** Each frame's next copy once the first is out, by (due, number). */
  readonly #copies: Pending[] = [];

  constructor(maxDatagram: number, counters: Counters) {
    this.#maxDatagram = maxDatagram;
    this.#counters = counters;
    this.#hedging = maxDatagram > 0 ? new Hedging(counters) : null;
  }

  /** Takes one numbered frame. */
  send(frame: Uint8Array, { flow, hedge }: SendOptions): void {
    const number = ++this.#number;
    this.#counters.framesSent++;
    const back = this.#back(number, flow);
    const datagram = concat(varint.encode(number), varint.encode(back), frame);
    const copies = hedge && SEQ_ROOM + datagram.length <= this.#maxDatagram;
    const pending = { number, frame, datagram, plan: planOf(1), slot: 0, due: 0, ready: !copies, streamed: null };
    this.#pending.set(number, pending);
    if (copies) this.#fresh.push(pending);
  }

  /** Sends once as a datagram; too large for one, it is dropped. */
  sendEphemeral(frame: Uint8Array): void {
    if (frame.length + SEQ_ROOM + 2 > this.#maxDatagram) return;
    this.#counters.framesSent++;
    this.#fresh.push(concat(Uint8Array.of(0, 0), frame));
  }

  /** The peer says what became of our datagrams. False when it is old or cannot be true. */
  report(upto: number, lost: number, runs: number, now: number): boolean {
    return upto <= this.#seq && this.#hedging !== null && this.#hedging.report(upto, lost, runs, now);
  }

  /** Hands out everything due at `now`. The caller lets packets go before it polls again. */
  poll(now: number): Packet[] {
    const later = this.#dueCopies(now);
    const first = this.#start(now);
    const out = this.#pollStream(now);
    for (const pending of later) {
      // Not in one poll with its stream copy: once more later.
      if (pending.streamed === now) this.#schedule(pending, now + GAP);
      else out.push(this.#copy(pending, now));
    }
    for (const item of first) out.push(item instanceof Uint8Array ? this.#datagram(item) : this.#copy(item, now));
    return out;
  }

  /** When `poll` next has something: a time, 0 for at once, null for never. */
  nextTimer(): number | null {
    const head = this.#pending.values().next().value;
    if (this.#fresh.length > 0 || head?.ready) return 0;
    return this.#copies[0]?.due ?? null;
  }

  /** Gives every new frame its plan; returns the datagrams that go out at once. */
  #start(now: number): (Uint8Array | Pending)[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh.filter((item) => {
      if (item instanceof Uint8Array || this.#hedging === null) return true;
      item.plan = this.#hedging.plan(SEQ_ROOM + item.datagram.length, now);
      if (item.plan.stream > 0) return true;
      item.ready = true;
      this.#nextSlot(item, now);
      return false;
    });
  }

  /** Takes what is due: frames may go on the stream, others are returned. */
  #dueCopies(now: number): Pending[] {
    const due: Pending[] = [];
    for (let next = this.#copies[0]; next !== undefined && next.due <= now; next = this.#copies[0]) {
      this.#copies.shift();
      if (next.slot !== next.plan.stream) due.push(next);
      else {
        next.ready = true;
        this.#nextSlot(next, now);
      }
    }
    return due;
  }

  /** Schedules the copy after this one: from now, so that after a stall copies do not bunch up. */
  #nextSlot(pending: Pending, now: number): void {
    const gap = pending.plan.gaps[pending.slot];
    if (gap === undefined) return;
    pending.slot++;
    this.#schedule(pending, now + gap);
  }

  #schedule(pending: Pending, due: number): void {
    pending.due = due;
    const before = (other: Pending): boolean => other.due < due || (other.due === due && other.number < pending.number);
    this.#copies.splice(this.#copies.findLastIndex(before) + 1, 0, pending);
  }

  /** Puts on the stream what is due, in number order: a frame never overtakes another there. */
  #pollStream(now: number): Packet[] {
    const out: Packet[] = [];
    for (const [number, pending] of this.#pending) {
      if (!pending.ready) break;
      pending.streamed = now;
      this.#pending.delete(number);
      out.push({ via: "stream", data: concat(varint.encode(pending.frame.length), pending.frame) });
    }
    return out;
  }

  #copy(pending: Pending, now: number): Packet {
    this.#nextSlot(pending, now);
    this.#counters.copiesSent++;
    return this.#datagram(pending.datagram);
  }

  #datagram(data: Uint8Array): Packet {
    this.#counters.datagramsSent++;
    return { via: "datagram", data: concat(varint.encode(++this.#seq), data) };
  }

  /** How far back the frame lies that must be handed up before `number`; 0 for none. */
  #back(number: number, flow: string | null): number {
    // Nothing overtakes the first frame, `hello` or `welcome`.
    const before = flow === null ? 1 : (this.#flows.get(flow) ?? 1);
    if (flow !== null) this.#remember(flow, number);
    return number - before;
  }

  /**
   * Notes the last frame of a flow and, over the bound, forgets the flow that was silent longest. Its
   * last frame lies at least WINDOW back, so a receiver that takes a later one has it from the stream.
   */
  #remember(flow: string, number: number): void {
    this.#flows.delete(flow);
    this.#flows.set(flow, number);
    if (this.#flows.size <= MAX_FLOWS) return;
    for (const oldest of this.#flows.keys()) {
      this.#flows.delete(oldest);
      return;
    }
  }
}
