/**
 * WebTransport as a Carrier: one bidirectional stream that the client opens, and datagrams where the
 * browser has them. A datagram that the browser will not take is dropped: the stream brings the frame.
 *
 * May import: carrier, wire.
 */

import { CloseCode } from "../wire/errors.ts";
import type { Packet, Via } from "../wire/lane.ts";
import type { Carrier, CarrierEvents, Connect } from "./carrier.ts";

type Endpoint = NonNullable<Connect["webtransport"]>;

export const hasWebTransport = (): boolean => typeof WebTransport === "function";

export async function openWebTransport(endpoint: Endpoint, signal: AbortSignal): Promise<Carrier> {
  signal.throwIfAborted();
  const transport = new WebTransport(endpoint.url, optionsOf(endpoint));
  const abort = (): void => transport.close();
  signal.addEventListener("abort", abort, { once: true });
  // Whoever needs it listens to `closed` later; until then its rejection is no news.
  transport.closed.catch(() => undefined);
  try {
    await transport.ready;
    const stream = await transport.createBidirectionalStream();
    signal.throwIfAborted();
    return new WebTransportCarrier(transport, stream);
  } catch (error) {
    transport.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function optionsOf({ certificate_hashes }: Endpoint): WebTransportOptions {
  const options: WebTransportOptions = { congestionControl: "low-latency" };
  if (certificate_hashes.length === 0) return options;
  const serverCertificateHashes = certificate_hashes.map((hash) => ({ algorithm: "sha-256", value: fromBase64(hash) }));
  return { ...options, serverCertificateHashes };
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

type Writer = WritableStreamDefaultWriter<Uint8Array>;
type Reader = ReadableStreamDefaultReader<Uint8Array>;

class WebTransportCarrier implements Carrier {
  readonly name = "webtransport";
  readonly maxDatagram: number;
  readonly #transport: WebTransport;
  readonly #stream: Writer;
  readonly #reader: Reader;
  readonly #datagrams: Writer | null;
  #over = false;

  constructor(transport: WebTransport, stream: WebTransportBidirectionalStream) {
    this.#transport = transport;
    this.#stream = stream.writable.getWriter() as Writer;
    this.#reader = stream.readable.getReader() as Reader;
    this.#datagrams = datagramWriter(transport);
    this.maxDatagram = this.#datagrams === null ? 0 : transport.datagrams.maxDatagramSize;
  }

  start(events: CarrierEvents): void {
    const end = (code: number, reason: string): void => {
      if (this.#over) return;
      this.#over = true;
      events.ended(code, reason);
    };
    this.#transport.closed.then(
      (info) => end(info?.closeCode || CloseCode.ABNORMAL, info?.reason ?? ""),
      (error: unknown) => end(CloseCode.ABNORMAL, String(error)),
    );
    // When the stream ends, `closed` follows with the code; datagrams may end without the session.
    void this.#read(this.#reader, "stream", events);
    if (this.#datagrams !== null) {
      void this.#read(this.#transport.datagrams.readable.getReader() as Reader, "datagram", events);
    }
  }

  send({ via, data }: Packet): void {
    if (via === "stream") {
      this.#write(this.#stream, data);
    } else if (this.#datagrams !== null && data.length <= this.#transport.datagrams.maxDatagramSize) {
      this.#write(this.#datagrams, data);
    }
  }

  close(closeCode: number, reason: string): void {
    this.#over = true;
    this.#transport.close({ closeCode, reason });
  }

  /** A failed write needs no answer: the end of the session is told by `closed`. */
  #write(writer: Writer, data: Uint8Array): void {
    writer.write(data).catch(() => undefined);
  }

  async #read(reader: Reader, via: Via, events: CarrierEvents): Promise<void> {
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        if (this.#over) return;
        events.received(via, next.value);
      }
    } catch {
      // See `start`: the end is told by `closed`.
    }
  }
}

/** Browsers have `writable`, the newer text of the specification `createWritable()`. */
function datagramWriter({ datagrams }: WebTransport): Writer | null {
  const duplex = datagrams as
    | {
        writable?: WritableStream<Uint8Array>;
        createWritable?: () => WritableStream<Uint8Array>;
        maxDatagramSize: number;
      }
    | undefined;
  if (duplex === undefined || !(duplex.maxDatagramSize > 0)) return null;
  return (duplex.createWritable?.() ?? duplex.writable)?.getWriter() ?? null;
}
