/**
 * The hedged lane: the stream for truth, datagrams for speed (docs/protocol.md, section 4). Sans-IO.
 *
 *     stream     record*                                 record = length(varint) frame
 *     datagram   number(varint) back(varint) frame       number 0: ephemeral, never repeated
 *
 * What holds always:
 * - every numbered frame goes on the stream exactly once, in number order;
 * - a frame is handed up exactly once, never before the frame that `back` points to;
 * - no two copies of one frame come out of the same `poll`, so they never share a packet.
 *
 * Bounds: WINDOW frames ahead of the stream are remembered, what lies beyond is dropped (the stream
 * brings it); MAX_FLOWS flows are told apart, over that the one silent longest is forgotten.
 * Times are milliseconds on any monotonic clock, given by the caller.
 * May import: varint, bytes, codec's limit, errors.
 */

import { ByteBuffer, concat } from "./bytes.ts";
import { MAX_FRAME } from "./codec.ts";
import { CloseCode, RemoteProtocolError } from "./errors.ts";
import * as varint from "./varint.ts";

/** Milliseconds between copies: datagram at 0, datagram at GAP, stream at 2 GAP. */
export const GAP = 15;
/** How many frames past the last one on the stream a receiver remembers. */
export const WINDOW = 1024;
/** How many flows a sender tells apart: as many as WINDOW, so that forgetting one cannot break its order. */
export const MAX_FLOWS = WINDOW;

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
  };
}

export interface SendOptions {
  /** What the frame keeps its order with; null: it follows the first frame only. */
  readonly flow: string | null;
  /** Without it, or too large for a datagram, the frame goes by the stream alone. */
  readonly hedge: boolean;
}

/** A numbered frame that is not on the stream yet. */
interface Pending {
  readonly frame: Uint8Array;
  readonly datagram: Uint8Array;
  /** When it may go on the stream; null while datagram copies are still to go. */
  due: number | null;
}

/** The sending half: numbers frames and schedules their copies. */
export class LaneSender {
  readonly #maxDatagram: number;
  readonly #counters: Counters;
  readonly #gap: number;
  #number = 0;
  /** Last number by flow, the flow that was silent longest first. */
  readonly #flows = new Map<string, number>();
  /** In number order, because a Map keeps the order of insertion. */
  readonly #pending = new Map<number, Pending>();
  /** Datagrams for the next poll: an ephemeral one, or the number of a new frame. */
  #first: (Uint8Array | number)[] = [];
  /** Second copies, in order of both fields. */
  readonly #second: { due: number; number: number }[] = [];

  constructor(maxDatagram: number, counters: Counters, gap: number = GAP) {
    this.#maxDatagram = maxDatagram;
    this.#counters = counters;
    this.#gap = gap;
  }

  /** Takes one numbered frame. */
  send(frame: Uint8Array, { flow, hedge }: SendOptions): void {
    const number = ++this.#number;
    this.#counters.framesSent++;
    const back = this.#back(number, flow);
    const datagram = concat(varint.encode(number), varint.encode(back), frame);
    const copies = hedge && datagram.length <= this.#maxDatagram;
    this.#pending.set(number, { frame, datagram, due: copies ? null : 0 });
    if (copies) this.#first.push(number);
  }

  /** Sends once as a datagram; too large for one, it is dropped. */
  sendEphemeral(frame: Uint8Array): void {
    if (frame.length + 2 > this.#maxDatagram) return;
    this.#counters.framesSent++;
    this.#first.push(concat(Uint8Array.of(0, 0), frame));
  }

  /** Hands out everything due at `now`. The caller lets packets go before it polls again. */
  poll(now: number): Packet[] {
    const out = this.#pollStream(now);
    const records = out.length;
    this.#pollSecond(now, out);
    this.#pollFirst(now, out);
    this.#counters.datagramsSent += out.length - records;
    return out;
  }

  /** When `poll` next has something: a time, 0 for at once, null for never. */
  nextTimer(): number | null {
    if (this.#first.length > 0) return 0;
    const second = this.#second[0]?.due ?? null;
    const head = this.#pending.values().next().value?.due ?? null;
    if (second === null || head === null) return second ?? head;
    return Math.min(second, head);
  }

  #pollFirst(now: number, out: Packet[]): void {
    const first = this.#first;
    this.#first = [];
    for (const item of first) {
      if (typeof item === "number") this.#second.push({ due: now + this.#gap, number: item });
      const data = typeof item === "number" ? this.#pending.get(item)?.datagram : item;
      if (data !== undefined) out.push({ via: "datagram", data });
    }
  }

  #pollSecond(now: number, out: Packet[]): void {
    for (let next = this.#second[0]; next !== undefined && next.due <= now; next = this.#second[0]) {
      this.#second.shift();
      const pending = this.#pending.get(next.number);
      if (pending === undefined) continue;
      // From now, not from when it was due: after a stall the copies must not bunch up.
      pending.due = now + this.#gap;
      out.push({ via: "datagram", data: pending.datagram });
    }
  }

  /** Puts on the stream what is due, in number order: a frame never overtakes another there. */
  #pollStream(now: number): Packet[] {
    const out: Packet[] = [];
    for (const [number, pending] of this.#pending) {
      if (pending.due === null || pending.due > now) break;
      this.#pending.delete(number);
      out.push({ via: "stream", data: concat(varint.encode(pending.frame.length), pending.frame) });
    }
    return out;
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
  *receiveDatagram(data: Uint8Array): Generator<Uint8Array> {
    this.#counters.datagramsReceived++;
    const { number, back, frame } = parseDatagram(data);
    if (number === 0) {
      this.#counters.framesReceived++;
      yield frame;
    } else if (number <= this.#floor || this.#ahead.has(number) || this.#waiting.has(number)) {
      this.#counters.duplicates++;
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
  readonly number: number;
  readonly back: number;
  readonly frame: Uint8Array;
}

function parseDatagram(data: Uint8Array): Datagram {
  const number = varint.decode(data, 0);
  const back = number === null ? null : varint.decode(data, number.end);
  if (number === null || back === null || back.value > Math.max(number.value - 1, 0)) {
    throw new RemoteProtocolError(CloseCode.PROTOCOL_ERROR, "bad datagram header");
  }
  return { number: number.value, back: back.value, frame: data.subarray(back.end) };
}
