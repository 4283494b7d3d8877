/**
 * The frames: everything that crosses a session, as typed objects, and the table that says how each
 * stands on the wire (docs/protocol.md, section 3).
 *
 * What holds always: every frame type has one row in TABLE; its fields stand there in wire order.
 * May import: nothing.
 */

export const VERSION = 1;

/** A MessagePack map: a body, parameters, a value. UUIDs inside are 16-byte Uint8Arrays. */
export type WireMap = Readonly<Record<string, unknown>>;

/** How far a client has read a conversation; (0, 0) for nothing held. */
export interface Position {
  readonly conversation: string;
  readonly epoch: number;
  readonly seq: number;
}

/** The server's answer to a Position: whether every later entry follows as `deliver`. */
export interface Resumed {
  readonly conversation: string;
  readonly epoch: number;
  readonly head: number;
  readonly recovered: boolean;
}

export interface Hello {
  readonly type: "hello";
  readonly version: number;
  readonly token: string;
  readonly resume: readonly Position[];
  readonly client: string;
}
export interface Welcome {
  readonly type: "welcome";
  readonly version: number;
  readonly session: string;
  readonly me: string;
  readonly now: number;
  readonly heartbeat: number;
  readonly resumed: readonly Resumed[];
  readonly state: WireMap;
}
export interface Send {
  readonly type: "send";
  readonly clientId: string;
  readonly conversation: string;
  readonly kind: string;
  readonly body: WireMap;
}
export interface Accepted {
  readonly type: "accepted";
  readonly clientId: string;
  readonly conversation: string;
  readonly epoch: number;
  readonly seq: number;
  readonly at: number;
}
export interface Queued {
  readonly type: "queued";
  readonly clientId: string;
  readonly conversation: string;
  readonly at: number;
}
export interface Deliver {
  readonly type: "deliver";
  readonly conversation: string;
  readonly epoch: number;
  readonly seq: number;
  readonly author: string;
  readonly clientId: string;
  readonly kind: string;
  readonly body: WireMap;
  readonly at: number;
}
export interface Received {
  readonly type: "received";
  readonly conversation: string;
  readonly seq: number;
  readonly who: string;
}
export interface ReadMark {
  readonly type: "read";
  readonly conversation: string;
  readonly seq: number;
}
export interface Typing {
  readonly type: "typing";
  readonly conversation: string;
  readonly on: boolean;
  readonly who: string;
}
export interface PresenceFrame {
  readonly type: "presence";
  readonly who: string;
  readonly state: string;
  readonly detail: WireMap;
}
export interface Call {
  readonly type: "call";
  readonly id: number;
  readonly method: string;
  readonly params: WireMap;
}
export interface Result {
  readonly type: "result";
  readonly id: number;
  readonly value: WireMap;
}
export interface Refused {
  readonly type: "refused";
  readonly code: string;
  readonly message: string;
  /** Milliseconds; null: never unchanged. */
  readonly retryAfter: number | null;
  readonly clientId: string | null;
  readonly call: number | null;
}
export interface Drain {
  readonly type: "drain";
  readonly deadline: number;
}
export interface Ping {
  readonly type: "ping";
  readonly nonce: number;
}
export interface Pong {
  readonly type: "pong";
  readonly nonce: number;
}
export interface Close {
  readonly type: "close";
  readonly code: number;
  readonly reason: string;
}
/** What became of the datagrams of the one who gets this: counts since the session began. */
export interface Report {
  readonly type: "report";
  /** Every datagram up to this one is decided: */
  readonly upto: number;
  /** so many of them did not come, */
  readonly lost: number;
  /** in so many runs of one after the other. */
  readonly runs: number;
  /** Copies that brought their frame first. */
  readonly useful: number;
  /** Copies that found it there. */
  readonly wasted: number;
}

export type Frame =
  | Hello
  | Welcome
  | Send
  | Accepted
  | Deliver
  | Received
  | ReadMark
  | Typing
  | PresenceFrame
  | Call
  | Result
  | Refused
  | Drain
  | Ping
  | Pong
  | Close
  | Report
  | Queued;

export type FrameType = Frame["type"];
export type FrameOf<T extends FrameType> = Extract<Frame, { type: T }>;

/** How a field stands on the wire. */
export type FieldKind =
  | "int"
  | "str"
  | "bool"
  | "uuid"
  | "map"
  | "int or nil"
  | "uuid or nil"
  | "positions"
  | "resumed";

/** Name, kind, and the value that stands for a field that is missing at the end; none: it must be there. */
export type Field =
  | readonly [name: string, kind: FieldKind]
  | readonly [name: string, kind: FieldKind, missing: unknown];

/** hedged: datagram copies, then the stream. stream: the stream alone. datagram: once, may be lost. */
export type Travel = "hedged" | "stream" | "datagram";

export interface Row {
  readonly number: number;
  readonly travel: Travel;
  readonly fields: readonly Field[];
}

const EMPTY: WireMap = Object.freeze({});

export const TABLE: { readonly [T in FrameType]: Row } = {
  hello: row(0, "hedged", [
    ["version", "int"],
    ["token", "str"],
    ["resume", "positions", []],
    ["client", "str", ""],
  ]),
  welcome: row(1, "hedged", [
    ["version", "int"],
    ["session", "uuid"],
    ["me", "str"],
    ["now", "int"],
    ["heartbeat", "int"],
    ["resumed", "resumed", []],
    ["state", "map", EMPTY],
  ]),
  send: row(2, "hedged", [
    ["clientId", "uuid"],
    ["conversation", "uuid"],
    ["kind", "str"],
    ["body", "map", EMPTY],
  ]),
  accepted: row(3, "hedged", [
    ["clientId", "uuid"],
    ["conversation", "uuid"],
    ["epoch", "int"],
    ["seq", "int"],
    ["at", "int"],
  ]),
  deliver: row(4, "hedged", [
    ["conversation", "uuid"],
    ["epoch", "int"],
    ["seq", "int"],
    ["author", "str"],
    ["clientId", "uuid"],
    ["kind", "str"],
    ["body", "map"],
    ["at", "int"],
  ]),
  received: row(5, "stream", [
    ["conversation", "uuid"],
    ["seq", "int"],
    ["who", "str", ""],
  ]),
  read: row(6, "stream", [
    ["conversation", "uuid"],
    ["seq", "int"],
  ]),
  typing: row(7, "datagram", [
    ["conversation", "uuid"],
    ["on", "bool"],
    ["who", "str", ""],
  ]),
  presence: row(8, "datagram", [
    ["who", "str"],
    ["state", "str"],
    ["detail", "map", EMPTY],
  ]),
  call: row(9, "hedged", [
    ["id", "int"],
    ["method", "str"],
    ["params", "map", EMPTY],
  ]),
  result: row(10, "hedged", [
    ["id", "int"],
    ["value", "map", EMPTY],
  ]),
  refused: row(11, "hedged", [
    ["code", "str"],
    ["message", "str"],
    ["retryAfter", "int or nil", null],
    ["clientId", "uuid or nil", null],
    ["call", "int or nil", null],
  ]),
  drain: row(12, "hedged", [["deadline", "int"]]),
  ping: row(13, "stream", [["nonce", "int"]]),
  pong: row(14, "stream", [["nonce", "int"]]),
  close: row(15, "stream", [
    ["code", "int"],
    ["reason", "str", ""],
  ]),
  report: row(16, "datagram", [
    ["upto", "int"],
    ["lost", "int"],
    ["runs", "int"],
    ["useful", "int", 0],
    ["wasted", "int", 0],
  ]),
  queued: row(17, "hedged", [
    ["clientId", "uuid"],
    ["conversation", "uuid"],
    ["at", "int"],
  ]),
};

/** Frame types by their number on the wire. */
export const TYPES: readonly FrameType[] = (Object.keys(TABLE) as FrameType[]).sort(
  (a, b) => TABLE[a].number - TABLE[b].number,
);

function row(number: number, travel: Travel, fields: readonly Field[]): Row {
  return { number, travel, fields };
}

/** The flow whose order a frame keeps: its conversation, or null when it stands alone. */
export function flowOf(frame: Frame): string | null {
  // Marks go by the stream alone, and a message must not wait for one that was lost.
  if (frame.type === "received" || frame.type === "read") return null;
  return "conversation" in frame ? frame.conversation : null;
}
