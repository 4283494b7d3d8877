/**
 * The hedged lane: the stream for truth, datagrams for speed (docs/protocol.md, section 4). Sans-IO.
 * Here: its words, and the receiving half; the sending half is sender.ts.
 *
 *     stream     record*                         record = length(varint) frame
 *     datagram   seq(varint) number(varint) back(varint) frame       number 0: never repeated
 *
 * What holds always: a frame is handed up exactly once, never before the frame that `back` points to.
 * Bounds: WINDOW frames ahead of the stream are remembered, what lies beyond is dropped (the stream
 * brings it).
 * Times are milliseconds on any monotonic clock, given by the caller.
 * May import: varint, bytes, loss, codec's limit, errors.
 */

import { ByteBuffer } from "./bytes.ts";
import { MAX_FRAME } from "./codec.ts";
import { CloseCode, RemoteProtocolError } from "./errors.ts";
import { LossMeter } from "./loss.ts";
import * as varint from "./varint.ts";

/** How many frames past the last one on the stream a receiver remembers. */
export const WINDOW = 1024;

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
