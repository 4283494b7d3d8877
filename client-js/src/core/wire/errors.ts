/**
 * Close codes and what a client does after each (docs/protocol.md, section 10), and the two errors
 * of the wire: the peer broke the protocol, or this side tried what the protocol forbids.
 *
 * May import: nothing.
 */

export const CloseCode = {
  NORMAL: 1000,
  /** Never sent: the transport vanished without a word. */
  ABNORMAL: 1006,
  GOING_AWAY: 4000,
  SLOW_READER: 4001,
  HEARTBEAT_TIMEOUT: 4002,
  INTERNAL: 4003,
  OVERLOADED: 4004,
  UNAUTHENTICATED: 4100,
  TOKEN_EXPIRED: 4101,
  PROTOCOL_ERROR: 4200,
  FRAME_TOO_LARGE: 4201,
  UNSUPPORTED_VERSION: 4202,
  FORBIDDEN: 4203,
  HELLO_TIMEOUT: 4204,
  FLOODING: 4205,
} as const;

export type Advice = "resume" | "reauthenticate" | "stop";

/** What to do after a close. Codes that nobody has defined yet mean resume. */
export function advice(code: number): Advice {
  if (code === CloseCode.NORMAL || (code >= 4200 && code < 4300)) return "stop";
  if (code >= 4100 && code < 4200) return "reauthenticate";
  return "resume";
}

/** The peer sent what the protocol forbids; `code` is the close code it gets. */
export class RemoteProtocolError extends Error {
  override readonly name = "RemoteProtocolError";
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string) {
    super(`${reason} (close code ${code})`);
    this.code = code;
    this.reason = reason;
  }
}

/** This side asked for something that the protocol forbids now: a fault in this code. */
export class LocalProtocolError extends Error {
  override readonly name = "LocalProtocolError";
}
