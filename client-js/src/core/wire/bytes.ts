/**
 * Two helpers for bytes: joining pieces, and a buffer that grows at the end and is taken from the front.
 *
 * May import: nothing.
 */

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Bytes that have come and are not taken yet. The caller bounds it: it never waits for more than a frame. */
export class ByteBuffer {
  #bytes = new Uint8Array(0);
  #start = 0;

  get view(): Uint8Array {
    return this.#bytes.subarray(this.#start);
  }

  push(data: Uint8Array): void {
    this.#bytes = concat(this.view, data) as Uint8Array<ArrayBuffer>;
    this.#start = 0;
  }

  /** Drops `skip` bytes and returns the next `length`; null, and nothing dropped, while they are not all there. */
  take(skip: number, length: number): Uint8Array | null {
    const from = this.#start + skip;
    if (from + length > this.#bytes.length) return null;
    this.#start = from + length;
    return this.#bytes.slice(from, this.#start);
  }
}
