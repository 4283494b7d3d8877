/** What the transports are called where people read it. Imports the core's types only. */
import type { LinkState } from "../core/api.ts";

const NAMES: Readonly<Record<string, string>> = {
  quic: "QUIC",
  webtransport: "WebTransport",
  websocket: "WebSocket",
  "websocket-h3": "WebSocket · HTTP/3",
  "websocket-h2": "WebSocket · HTTP/2",
  "websocket-h1": "WebSocket · HTTP/1.1",
};

const MEANINGS: Readonly<Record<string, string>> = {
  quic: "QUIC with datagrams and nothing between: a native client.",
  webtransport: "QUIC with datagrams: the fastest way, even when packets get lost.",
  "websocket-h3": "QUIC without datagrams.",
  "websocket-h2": "TCP: UDP is blocked on the visitor’s network, or the browser cannot do better.",
  "websocket-h1": "TCP: UDP is blocked on the visitor’s network, or the browser cannot do better.",
};

export const transportName = (transport: string): string => NAMES[transport] ?? transport;
export const transportMeaning = (transport: string): string => MEANINGS[transport] ?? "";

/** The state of my own link, in few words. */
export function linkText(link: LinkState): string {
  if (link.phase === "live") {
    const name = transportName(link.transport);
    return link.rtt === null ? name : `${name} · ${Math.round(link.rtt)} ms`;
  }
  return (
    { idle: "Starting…", connecting: "Connecting…", reconnecting: "Reconnecting…", offline: "Offline" }[
      link.phase as "idle"
    ] ?? "Disconnected"
  );
}
