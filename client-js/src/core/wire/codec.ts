/**
 * Frames to bytes and back, with the limits that every decoder enforces.
 *
 * What holds always: `decode(encode(frame))` equals `frame`; any other input throws
 * RemoteProtocolError and nothing else, whatever the bytes are.
 * May import: frames, uuid, errors, MessagePack.
 */

import { Decoder, Encoder } from "@msgpack/msgpack";
import { CloseCode, LocalProtocolError, RemoteProtocolError } from "./errors.ts";
import {
  type Deliver,
  type Field,
  type FieldKind,
  type Frame,
  type Position,
  type Resumed,
  TABLE,
  TYPES,
} from "./frames.ts";
import { fromWire, toBytes } from "./uuid.ts";

/** Bytes of one encoded frame, either direction. Over it: FRAME_TOO_LARGE. */
export const MAX_FRAME = 65_536;

const encoder = new Encoder({ ignoreUndefined: true });
const decoder = strictDecoder();

/** Encodes one frame. Throws LocalProtocolError when it would exceed MAX_FRAME. */
export function encode(frame: Frame): Uint8Array {
  const { number, fields } = TABLE[frame.type];
  const values = frame as unknown as Record<string, unknown>;
  const data = encoder.encode([number, ...fields.map(([name, kind]) => toWire(kind, values[name]))]);
  if (data.length > MAX_FRAME) {
    throw new LocalProtocolError(`${frame.type} of ${data.length} bytes exceeds ${MAX_FRAME}`);
  }
  return data;
}

/** Decodes one frame. Throws RemoteProtocolError, which carries the close code, on any fault. */
export function decode(data: Uint8Array): Frame {
  if (data.length > MAX_FRAME) {
    throw new RemoteProtocolError(CloseCode.FRAME_TOO_LARGE, `frame of ${data.length} bytes exceeds ${MAX_FRAME}`);
  }
  const items = unpack(data);
  if (!Array.isArray(items)) throw bad("not an array");
  const type = TYPES[items[0] as number];
  if (type === undefined) throw bad("unknown type");
  return { type, ...readFields(TABLE[type].fields, items, 1) } as unknown as Frame;
}

/** An entry as `history` brings it: an array with the fields of `deliver`. Throws like decode. */
export function decodeEntry(items: unknown): Deliver {
  if (!Array.isArray(items)) throw bad("an entry is not an array");
  return { type: "deliver", ...readFields(TABLE.deliver.fields, items, 0) } as unknown as Deliver;
}

function readFields(fields: readonly Field[], items: readonly unknown[], start: number): Record<string, unknown> {
  return Object.fromEntries(fields.map((field, at) => [field[0], fieldOf(field, items, start + at)]));
}

/**
 * The library reads broken UTF-8 as other letters; the protocol refuses it. These two are private
 * names of @msgpack/msgpack 3.1.3: the golden vectors fail when an update renames them.
 */
interface DecoderInside {
  decodeBinary(length: number, headerLength: number): Uint8Array;
  decodeUtf8String(length: number, headerLength: number): string;
}

function strictDecoder(): Decoder {
  const decoder = new Decoder();
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const inside = decoder as unknown as DecoderInside;
  inside.decodeUtf8String = (length, headerLength) => utf8.decode(inside.decodeBinary(length, headerLength));
  return decoder;
}

function unpack(data: Uint8Array): unknown {
  try {
    return decoder.decode(data);
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
}

function bad(what: string): RemoteProtocolError {
  return new RemoteProtocolError(CloseCode.PROTOCOL_ERROR, `bad frame: ${what}`);
}

function fieldOf(field: Field, items: readonly unknown[], at: number): unknown {
  const [name, kind] = field;
  if (at >= items.length) {
    if (field.length === 3) return field[2];
    throw bad(`${name} is missing`);
  }
  const value = READERS[kind](items[at]);
  if (value === undefined) throw bad(`${name} is not ${kind}`);
  return value;
}

/** Readers of wire values: the value in the program, or undefined when it does not fit. */
const READERS: { readonly [K in FieldKind]: (value: unknown) => unknown } = {
  int: (value) => (Number.isSafeInteger(value) && (value as number) >= 0 ? value : undefined),
  str: (value) => (typeof value === "string" ? value : undefined),
  bool: (value) => (typeof value === "boolean" ? value : undefined),
  uuid: (value) => fromWire(value) ?? undefined,
  map: (value) => (isMap(value) ? value : undefined),
  "int or nil": (value) => (value === null ? null : READERS.int(value)),
  "uuid or nil": (value) => (value === null ? null : READERS.uuid(value)),
  positions: (value) => rows(value, ["conversation", "uuid"], ["epoch", "int"], ["seq", "int"]),
  resumed: (value) => rows(value, ["conversation", "uuid"], ["epoch", "int"], ["head", "int"], ["recovered", "bool"]),
};

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function rows(value: unknown, ...fields: Field[]): unknown[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.map((items) => {
    if (!Array.isArray(items)) throw bad("a row is not an array");
    return readFields(fields, items, 0);
  });
}

function toWire(kind: FieldKind, value: unknown): unknown {
  if (kind === "uuid" || kind === "uuid or nil") return value === null ? null : toBytes(value as string);
  if (kind === "positions") {
    return (value as Position[]).map(({ conversation, epoch, seq }) => [toBytes(conversation), epoch, seq]);
  }
  if (kind === "resumed") {
    return (value as Resumed[]).map((row) => [toBytes(row.conversation), row.epoch, row.head, row.recovered]);
  }
  return value;
}
