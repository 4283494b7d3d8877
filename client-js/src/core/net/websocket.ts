/**
 * WebSocket as a Carrier: binary messages, one frame each.
 *
 * May import: carrier, wire.
 */

import { CloseCode } from "../wire/errors.ts";
import type { Packet } from "../wire/lane.ts";
import type { Carrier, CarrierEvents } from "./carrier.ts";

/** A Close frame holds 125 bytes, two of them the code (RFC 6455 section 5.5). */
const MAX_REASON = 120;

export function openWebSocket(url: string, signal: AbortSignal): Promise<Carrier> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const abort = (): void => {
      socket.close();
      reject(new Error("WebSocket: given up"));
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.onopen = () => {
      signal.removeEventListener("abort", abort);
      resolve(new WebSocketCarrier(socket));
    };
    socket.onclose = ({ code }) => {
      signal.removeEventListener("abort", abort);
      reject(new Error(`WebSocket: refused (${code})`));
    };
  });
}

class WebSocketCarrier implements Carrier {
  readonly name = "websocket";
  readonly maxDatagram = null;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onclose = null;
  }

  start(events: CarrierEvents): void {
    const socket = this.#socket;
    if (socket.readyState > WebSocket.OPEN) {
      queueMicrotask(() => events.ended(CloseCode.ABNORMAL, "closed at once"));
      return;
    }
    socket.onmessage = ({ data }) => {
      // A text message is no frame: an empty one makes the machine say so.
      events.received("message", data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array());
    };
    socket.onclose = ({ code, reason }) => events.ended(code, reason);
  }

  send({ data }: Packet): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data as Uint8Array<ArrayBuffer>);
  }

  close(code: number, reason: string): void {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    const allowed = code === CloseCode.NORMAL || (code >= 3000 && code < 5000);
    this.#socket.close(allowed ? code : CloseCode.NORMAL, shorten(reason));
  }
}

function shorten(reason: string): string {
  return new TextEncoder().encode(reason).length <= MAX_REASON ? reason : "";
}
