/**
 * The frame state machine of one session, either side (docs/protocol.md, section 5). Sans-IO: bytes
 * and time in, bytes out.
 *
 *     client                         server
 *     NEW ──hello──▶ JOINING         NEW ──hello──▶ JOINING
 *     JOINING ──welcome──▶ LIVE      JOINING ──welcome──▶ LIVE
 *     LIVE ──drain──▶ DRAINING       LIVE ──drain──▶ DRAINING
 *     any ──close, fault, silence──▶ CLOSED
 *
 * What holds always: a frame crosses only if the tables below allow it, in both directions; pings and
 * reports are dealt with here and never handed up; after CLOSED nothing comes out but what was queued; every fault
 * of the peer ends in CLOSED with a close code, never in an exception.
 * Times are milliseconds on any monotonic clock, given by the caller.
 * May import: codec, frames, lane, sender, errors.
 */

import { decode, encode } from "./codec.ts";
import { CloseCode, LocalProtocolError, RemoteProtocolError } from "./errors.ts";
import { type Frame, type FrameType, flowOf, type Report, TABLE } from "./frames.ts";
import { LaneReceiver, newCounters, type Packet, type Via } from "./lane.ts";
import { LaneSender } from "./sender.ts";

/** Milliseconds of silence after which a client pings. Under the 30 s that NAT bindings for UDP live. */
export const HEARTBEAT = 25_000;
/** A shorter heartbeat (ms) is taken as this: no server can make a client ping in a loop. */
export const MIN_HEARTBEAT = 100;
/** After this many heartbeats without a byte from the peer the session is HEARTBEAT_TIMEOUT. */
export const SILENCE = 2.5;
/** Milliseconds that a server waits for the first frame. */
export const HELLO_DEADLINE = 10_000;

export type Role = "client" | "server";
export type State = "new" | "joining" | "live" | "draining" | "closed";

/** How a session ended: the code, the reason, and whether the peer ended it. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
  readonly remote: boolean;
}

type Types = ReadonlySet<FrameType>;

const types = (...list: FrameType[]): Types => new Set(list);
const COMMANDS: FrameType[] = ["send", "received", "read", "typing", "call"];
const EITHER: FrameType[] = ["ping", "pong", "close", "report"];
const ANSWERS: FrameType[] = ["accepted", "queued", "deliver", "received", "typing", "presence", "result", "refused"];

/** What each side may send in each state; the peer may receive the same. */
export const MAY_SEND: { readonly [R in Role]: { readonly [S in State]: Types } } = {
  client: {
    new: types("hello", "close"),
    joining: types(...COMMANDS, ...EITHER),
    live: types(...COMMANDS, ...EITHER),
    draining: types(...COMMANDS, ...EITHER),
    closed: types(),
  },
  server: {
    new: types("close"),
    joining: types("welcome", ...EITHER),
    live: types("drain", ...ANSWERS, ...EITHER),
    draining: types(...ANSWERS, ...EITHER),
    closed: types(),
  },
};

/** Where a frame takes both sides; a frame that is not here changes nothing. */
export const TRANSITIONS: { readonly [S in State]?: { readonly [T in FrameType]?: State } } = {
  new: { hello: "joining" },
  joining: { welcome: "live" },
  live: { drain: "draining" },
};

const PEER: { readonly [R in Role]: Role } = { client: "server", server: "client" };

export interface MachineOptions {
  /** Bytes of the largest datagram, 0 for a stream without datagrams, null for a transport of messages. */
  readonly maxDatagram: number | null;
  readonly heartbeat?: number;
}

/** One side of a session. */
export class Machine {
  readonly role: Role;
  readonly counters = newCounters();
  heartbeat: number;
  /** Milliseconds from our last ping to its pong; null before the first. */
  rtt: number | null = null;
  #state: State = "new";
  #closed: Closed | null = null;
  readonly #hedged: boolean;
  readonly #sender: LaneSender | null;
  readonly #receiver = new LaneReceiver(this.counters);
  #messages: Uint8Array[] = [];
  #nonce = 0;
  #pinged = 0;
  #lastReceived: number;
  #lastSent: number;
  readonly #born: number;

  constructor(role: Role, now: number, { maxDatagram, heartbeat = HEARTBEAT }: MachineOptions) {
    this.role = role;
    this.heartbeat = heartbeat;
    this.#hedged = maxDatagram !== null && maxDatagram > 0;
    this.#sender = maxDatagram === null ? null : new LaneSender(maxDatagram, this.counters);
    this.#born = this.#lastReceived = this.#lastSent = now;
  }

  get state(): State {
    return this.#state;
  }

  get closed(): Closed | null {
    return this.#closed;
  }

  /** When the peer was last heard. */
  get lastReceived(): number {
    return this.#lastReceived;
  }

  // Bytes in.

  /**
   * Takes bytes from the transport; returns the frames for the layer above. A fault of the peer closes
   * the machine: the frames before it are returned, `closed` is set and a `close` frame is queued.
   */
  receive(via: Via, data: Uint8Array, now: number): Frame[] {
    const frames: Frame[] = [];
    if (this.#state === "closed") return frames;
    this.#lastReceived = now;
    try {
      for (const raw of this.#unwrap(via, data, now)) {
        this.#take(decode(raw), via, frames, now);
        // The peer is gone: what it said after `close` counts for nothing.
        if (this.#closed !== null) break;
      }
      if (via === "datagram") this.#report(now);
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.close(error.code, error.reason, now);
    }
    return frames;
  }

  /** Tells the machine that the transport ended, with the code it gave, if any. */
  lost(code: number = CloseCode.ABNORMAL, reason = "connection lost"): void {
    this.#end({ code, reason, remote: true });
  }

  // Frames out.

  /**
   * Queues a frame; `hedge` false keeps an urgent type on the stream alone. Throws LocalProtocolError
   * when the tables do not allow it, which they never do after the end.
   */
  send(frame: Frame, now: number, hedge = true): void {
    if (!MAY_SEND[this.role][this.#state].has(frame.type)) {
      throw new LocalProtocolError(`a ${this.role} may not send ${frame.type} while ${this.#state}`);
    }
    this.#queue(frame, now, hedge);
    if (frame.type === "close") this.#end({ code: frame.code, reason: frame.reason, remote: false });
    else this.#advance(frame);
  }

  /** Queues a `close` frame and ends. Does nothing after the end. */
  close(code: number, reason: string, now: number): void {
    if (this.#closed !== null) return;
    this.#queue({ type: "close", code, reason }, now, false);
    this.#end({ code, reason, remote: false });
  }

  /** Asks the peer for a sign of life now. Does nothing while not live. */
  ping(now: number): void {
    if (!this.#pings()) return;
    this.#nonce++;
    this.#pinged = now;
    this.#queue({ type: "ping", nonce: this.#nonce }, now, false);
  }

  /** Hands out the packets due at `now`, and does what time asks for: pings and timeouts. */
  poll(now: number): Packet[] {
    this.#checkClock(now);
    if (this.#sender !== null) return this.#sender.poll(now);
    const messages = this.#messages;
    this.#messages = [];
    return messages.map((data) => ({ via: "message", data }));
  }

  /** When `poll` must be called next: a time, 0 for at once, null for never. */
  nextTimer(): number | null {
    const times: number[] = [];
    if (this.#closed === null) times.push(this.#deadline());
    if (this.#pings()) times.push(this.#lastSent + this.heartbeat);
    if (this.#messages.length > 0) times.push(0);
    const lane = this.#sender?.nextTimer() ?? null;
    if (lane !== null) times.push(lane);
    return times.length === 0 ? null : Math.min(...times);
  }

  #unwrap(via: Via, data: Uint8Array, now: number): Iterable<Uint8Array> {
    if (this.#sender === null) return [data];
    return via === "stream" ? this.#receiver.receiveStream(data) : this.#receiver.receiveDatagram(data, now);
  }

  #take(frame: Frame, via: Via, frames: Frame[], now: number): void {
    if (!MAY_SEND[PEER[this.role]][this.#state].has(frame.type)) {
      // Ephemeral frames keep no order: this one overtook `hello` or `welcome`.
      if (via === "datagram" && TABLE[frame.type].travel === "datagram") return;
      throw new RemoteProtocolError(CloseCode.PROTOCOL_ERROR, `${frame.type} is not allowed while ${this.#state}`);
    }
    switch (frame.type) {
      case "close":
        this.#end({ code: frame.code, reason: frame.reason, remote: true });
        return;
      case "ping":
        this.#queue({ type: "pong", nonce: frame.nonce }, now, false);
        return;
      case "report":
        this.#reported(frame, now);
        return;
      case "pong":
        this.#measure(frame.nonce, now);
        return;
    }
    this.#advance(frame);
    frames.push(frame);
  }

  /** Tells the peer what became of its datagrams, when there is news and it may be said. */
  #report(now: number): void {
    const { meter } = this.#receiver;
    if (!this.#hedged || !MAY_SEND[this.role][this.#state].has("report") || !meter?.due(now)) return;
    const { firstByDatagram: useful, wastedReceived: wasted } = this.counters;
    const { upto, lost, runs } = meter;
    this.#queue({ type: "report", upto, lost, runs, useful, wasted }, now, false);
    this.counters.reportsSent++;
  }

  #reported({ upto, lost, runs, useful, wasted }: Report, now: number): void {
    if (!this.#sender?.report(upto, lost, runs, now)) return;
    const { counters } = this;
    counters.reportsReceived++;
    counters.copiesUseful = Math.min(useful, counters.copiesSent);
    counters.copiesWasted = Math.min(wasted, counters.copiesSent - counters.copiesUseful);
  }

  #measure(nonce: number, now: number): void {
    if (nonce === this.#nonce) this.rtt = now - this.#pinged;
  }

  /** Where a frame takes this side, whichever side it came from. */
  #advance(frame: Frame): void {
    if (frame.type === "welcome") this.heartbeat = Math.max(MIN_HEARTBEAT, frame.heartbeat);
    this.#state = TRANSITIONS[this.#state]?.[frame.type] ?? this.#state;
  }

  #queue(frame: Frame, now: number, hedge: boolean): void {
    const data = encode(frame);
    this.#lastSent = now;
    const { travel } = TABLE[frame.type];
    if (this.#sender === null) {
      this.counters.framesSent++;
      this.#messages.push(data);
    } else if (travel === "datagram" && this.#hedged) {
      this.#sender.sendEphemeral(data);
    } else {
      this.#sender.send(data, {
        flow: flowOf(frame),
        hedge: hedge && travel === "hedged" && this.#hedged,
      });
    }
  }

  #pings(): boolean {
    return this.role === "client" && (this.#state === "live" || this.#state === "draining");
  }

  #deadline(): number {
    if (this.#state === "new" && this.role === "server") return this.#born + HELLO_DEADLINE;
    return this.#lastReceived + SILENCE * this.heartbeat;
  }

  #checkClock(now: number): void {
    if (this.#closed !== null) return;
    if (now >= this.#deadline()) {
      const early = this.#state === "new" && this.role === "server";
      if (early) this.close(CloseCode.HELLO_TIMEOUT, "no hello in time", now);
      else this.close(CloseCode.HEARTBEAT_TIMEOUT, "nothing heard in time", now);
    } else if (this.#pings() && now >= this.#lastSent + this.heartbeat) {
      this.ping(now);
    }
  }

  #end(closed: Closed): void {
    if (this.#closed !== null) return;
    this.#closed = closed;
    this.#state = "closed";
  }
}
