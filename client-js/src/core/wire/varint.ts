/**
 * Variable-length integers of RFC 9000 section 16: 1, 2, 4 or 8 bytes. JavaScript holds integers
 * exactly up to 2^53 - 1, far beyond any frame number or length, so larger ones are refused.
 *
 * May import: nothing.
 */

export const MAX = Number.MAX_SAFE_INTEGER;

/** Encodes in the fewest bytes. Throws RangeError for what is not an integer from 0 to MAX. */
export function encode(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no variable-length integer`);
  if (value < 1 << 6) return Uint8Array.of(value);
  if (value < 1 << 14) return Uint8Array.of(0x40 | (value >> 8), value & 0xff);
  const size = value < 2 ** 30 ? 4 : 8;
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  if (size === 4) view.setUint32(0, value + 0x8000_0000);
  else view.setBigUint64(0, BigInt(value) | (3n << 62n));
  return out;
}

/** An integer and the offset after it. */
export interface Read {
  readonly value: number;
  readonly end: number;
}

/** Reads one integer at offset `at`; null when bytes are missing. Past MAX the value is Infinity. */
export function decode(data: Uint8Array, at: number): Read | null {
  const first = data[at];
  if (first === undefined) return null;
  const end = at + (1 << (first >> 6));
  if (end > data.length) return null;
  let value = first & 0x3f;
  for (const byte of data.subarray(at + 1, end)) value = value * 256 + byte;
  return { value: value > MAX ? Number.POSITIVE_INFINITY : value, end };
}
