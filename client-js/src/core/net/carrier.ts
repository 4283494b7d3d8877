/**
 * The seam between sessions and the browser's transports: something that carries packets and ends once.
 *
 * What holds always: an Opener resolves with a carrier that is connected, or rejects; when its signal
 * aborts, it rejects soon and leaves nothing open. Nothing is heard before `start`; `ended` is called
 * at most once, and never after `close`.
 * May import: wire.
 */

import type { TransportName } from "../api.ts";
import type { Packet, Via } from "../wire/lane.ts";

export interface CarrierEvents {
  received(via: Via, data: Uint8Array): void;
  /** The transport ended by itself or by the peer; the code is 1006 when it gave none. */
  ended(code: number, reason: string): void;
}

export interface Carrier {
  readonly name: TransportName;
  /** See MachineOptions: null for messages, 0 for a stream without datagrams. */
  readonly maxDatagram: number | null;
  start(events: CarrierEvents): void;
  send(packet: Packet): void;
  close(code: number, reason: string): void;
}

export type Opener = (signal: AbortSignal) => Promise<Carrier>;

/** Where a server can be reached (docs/protocol.md, section 12, CONNECT). */
export interface Connect {
  readonly version: number;
  readonly head_start: number;
  readonly webtransport: { readonly url: string; readonly certificate_hashes: readonly string[] } | null;
  readonly websocket: { readonly url: string };
}
