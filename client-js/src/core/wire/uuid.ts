/**
 * UUIDs: 36 characters of text in the program, 16 bytes on the wire. New ones are UUIDv7 (RFC 9562),
 * so they sort by the time of their making. Time and randomness come in as arguments.
 *
 * May import: nothing.
 */

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return TEXT.test(text);
}

/** The 16 bytes of a UUID in text form. Throws TypeError for anything else. */
export function toBytes(text: string): Uint8Array {
  if (!isUuid(text)) throw new TypeError(`not a UUID: ${text}`);
  const hex = text.replaceAll("-", "");
  return Uint8Array.from({ length: 16 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}

/** The text form of 16 bytes, or null when there are not 16. */
export function fromBytes(bytes: Uint8Array): string | null {
  if (bytes.length !== 16) return null;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** A UUID from what came off the wire, 16 bytes or text; null when it is neither. */
export function fromWire(value: unknown): string | null {
  if (value instanceof Uint8Array) return fromBytes(value);
  return typeof value === "string" && isUuid(value) ? value.toLowerCase() : null;
}

function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}

/** A new UUIDv7: 48 bits of Unix milliseconds, the rest random. */
export function uuid7(now: number = Date.now(), random: Uint8Array = randomBytes()): string {
  const bytes = Uint8Array.from(random);
  for (let at = 5, rest = Math.floor(now); at >= 0; at--, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return fromBytes(bytes) ?? "";
}
