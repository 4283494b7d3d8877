/**
 * The hedged lane: the stream for truth, datagrams for speed (docs/protocol.md, section 4). Sans-IO.
 *
 *     stream     record*                         record = length(varint) frame
 *     datagram   seq(varint) number(varint) back(varint) frame       number 0: never repeated
 *
 * What holds always:
 * - every numbered frame goes on the stream exactly once, in number order, whatever the copies do;
 * - a frame is handed up exactly once, never before the frame that `back` points to;
 * - no two copies of one frame come out of the same `poll`, so they never share a packet.
 *
 * Bounds: WINDOW frames ahead of the stream are remembered, what lies beyond is dropped (the stream
 * brings it); MAX_FLOWS flows are told apart, over that the one silent longest is forgotten. Copies are
 * paid from hedge's budget.
 * Times are milliseconds on any monotonic clock, given by the caller.
 * May import: varint, bytes, hedge, loss, codec's limit, errors.
 */

import { ByteBuffer, concat } from "./bytes.ts";
import { MAX_FRAME } from "./codec.ts";
import { CloseCode, RemoteProtocolError } from "./errors.ts";
import { Budget, copiesFor, GAP, type Plan, PROBE, PROBING, planOf } from "./hedge.ts";
import { LossEstimate, LossMeter } from "./loss.ts";
import * as varint from "./varint.ts";

/** How many frames past the last one on the stream a receiver remembers. */
export const WINDOW = 1024;
/** How many flows a sender tells apart: as many as WINDOW, so that forgetting one cannot break its order. */
export const MAX_FLOWS = WINDOW;
/** Bytes kept free in a datagram for its `seq`, which is not known when the frame is taken. */
export const SEQ_ROOM = 8;
/** Milliseconds for which a plan stands without a report; only the passing of time changes it then. */
export const REPLAN = 1000;

/** What a piece of bytes travels on; `message` is a WebSocket message. */
export type Via = "stream" | "datagram" | "message";

/** Bytes to hand to the transport. */
export interface Packet {
  readonly via: Via;
  readonly data: Uint8Array;
}

/** What the lane did. */
export interface Counters {
  framesSent: number;
  framesReceived: number;
  datagramsSent: number;
  datagramsReceived: number;
  /** Frames that a datagram brought before the stream did. */
  firstByDatagram: number;
  /** Copies that came after the frame was already there. */
  duplicates: number;
  /** Datagrams ahead of WINDOW. */
  dropped: number;
  /** Datagrams sent that were copies of a numbered frame. */
  copiesSent: number;
  /** Those of them that brought their frame first, as the peer reports. */
  copiesUseful: number;
  /** Those of them that found their frame there already, as the peer reports. */
  copiesWasted: number;
  /** Copies that the plan wanted and the budget did not pay for. */
  copiesUnpaid: number;
  /** Datagrams received that found their frame there already. */
  wastedReceived: number;
  reportsSent: number;
  reportsReceived: number;
  /** Now: the share of our datagrams that is lost, and … */
  loss: number;
  /** … the share of those after which the next one is lost too. */
  again: number;
  /** Now: copies of a frame, the stream's included. 0 where there are no datagrams. */
  copies: number;
}

export function newCounters(): Counters {
  return {
    framesSent: 0,
    framesReceived: 0,
    datagramsSent: 0,
    datagramsReceived: 0,
    firstByDatagram: 0,
    duplicates: 0,
    dropped: 0,
    copiesSent: 0,
    copiesUseful: 0,
    copiesWasted: 0,
    copiesUnpaid: 0,
    wastedReceived: 0,
    reportsSent: 0,
    reportsReceived: 0,
    loss: 0,
    again: 0,
    copies: 0,
  };
}

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

/** The receiving half: drops copies and hands frames up in the order of their flows. */
export class LaneReceiver {
  /** Counts the datagrams; made with the first. */
  meter: LossMeter | null = null;
  readonly #counters: Counters;
  readonly #buffer = new ByteBuffer();
  /** Every frame up to this number came by the stream and was handed up. */
  #floor = 0;
  /** Numbers past the floor that were handed up already. */
  readonly #ahead = new Set<number>();
  /** Frames that came before the frame they must follow. */
  readonly #waiting = new Map<number, Uint8Array>();
  /** number → the numbers that wait for it. */
  readonly #blocked = new Map<number, number[]>();

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Takes bytes of the stream; yields the frames that can be handed up now. */
  *receiveStream(data: Uint8Array): Generator<Uint8Array> {
    this.#buffer.push(data);
    for (let record = this.#nextRecord(); record !== null; record = this.#nextRecord()) {
      yield* this.#streamFrame(record);
    }
  }

  /** Takes one datagram; yields the frames that can be handed up now. */
  *receiveDatagram(data: Uint8Array, now: number): Generator<Uint8Array> {
    this.#counters.datagramsReceived++;
    const { seq, number, back, frame } = parseDatagram(data);
    this.meter ??= new LossMeter();
    this.meter.note(seq, now);
    if (number === 0) {
      this.#counters.framesReceived++;
      yield frame;
    } else if (number <= this.#floor || this.#ahead.has(number) || this.#waiting.has(number)) {
      this.#counters.duplicates++;
      this.#counters.wastedReceived++;
    } else if (number > this.#floor + WINDOW) {
      this.#counters.dropped++;
    } else {
      yield* this.#early(number, back, frame);
    }
  }

  /** A frame that a datagram brought before the stream did. */
  *#early(number: number, back: number, frame: Uint8Array): Generator<Uint8Array> {
    this.#counters.firstByDatagram++;
    const before = back === 0 ? 0 : number - back;
    if (before <= this.#floor || this.#ahead.has(before)) {
      yield* this.#handUp(number, frame);
      return;
    }
    this.#waiting.set(number, frame);
    this.#blocked.set(before, [...(this.#blocked.get(before) ?? []), number]);
  }

  #nextRecord(): Uint8Array | null {
    const head = varint.decode(this.#buffer.view, 0);
    if (head === null) return null;
    if (head.value > MAX_FRAME) {
      throw new RemoteProtocolError(CloseCode.FRAME_TOO_LARGE, `record of ${head.value} bytes exceeds ${MAX_FRAME}`);
    }
    return this.#buffer.take(head.end, head.value);
  }

  *#streamFrame(frame: Uint8Array): Generator<Uint8Array> {
    const number = ++this.#floor;
    if (this.#ahead.delete(number)) {
      this.#counters.duplicates++;
      return;
    }
    // It cannot be waiting: what it waits for has a lower number, so the stream brought it.
    yield* this.#handUp(number, frame);
  }

  /** Hands up a frame, then all that waited for it. */
  *#handUp(number: number, frame: Uint8Array): Generator<Uint8Array> {
    const ready: [number, Uint8Array][] = [[number, frame]];
    for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
      if (next[0] > this.#floor) this.#ahead.add(next[0]);
      this.#counters.framesReceived++;
      yield next[1];
      for (const later of this.#blocked.get(next[0]) ?? []) {
        const waiting = this.#waiting.get(later);
        this.#waiting.delete(later);
        if (waiting !== undefined) ready.push([later, waiting]);
      }
      this.#blocked.delete(next[0]);
    }
  }
}

interface Datagram {
  readonly seq: number;
  readonly number: number;
  readonly back: number;
  readonly frame: Uint8Array;
}

function parseDatagram(data: Uint8Array): Datagram {
  const seq = varint.decode(data, 0);
  const number = seq === null ? null : varint.decode(data, seq.end);
  const back = number === null ? null : varint.decode(data, number.end);
  if (seq === null || number === null || back === null) {
    throw new RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "datagram cut short");
  }
  if (seq.value < 1 || seq.value > varint.MAX || back.value > Math.max(number.value - 1, 0)) {
    throw new RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "bad datagram header");
  }
  return { seq: seq.value, number: number.value, back: back.value, frame: data.subarray(back.end) };
}
