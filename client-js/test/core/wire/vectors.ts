/** Reading the golden vectors of ../tests/vectors: frames as JSON, bytes as hex. */
import { readFileSync } from "node:fs";
import type { Frame } from "../../../src/core/wire/frames.ts";
import type { Counters, Via } from "../../../src/core/wire/lane.ts";
import type { Role, State } from "../../../src/core/wire/machine.ts";

export type Json = Record<string, unknown> & { type: string };

export interface FrameVectors {
  valid: { name: string; frame: Json; hex: string }[];
  decodes: { name: string; frame: Json; hex: string }[];
  invalid: { name: string; hex: string; code: number }[];
}

export type Step =
  | { at: number; send: Json; hedge?: boolean; times?: number; error?: boolean }
  | { at: number; receive: [Via, string]; frames: Json[] }
  | { at: number; poll: [Via, string][] }
  | { at: number; poll_count: number }
  | { at: number; poll_close: [Via, number] }
  | { at: number; close: [number, string] }
  | { at: number; lost: number }
  | { timer: number | null }
  | { state: State }
  | { closed: [number, boolean] | null }
  | { counters: Record<string, number> };

export interface Script {
  name: string;
  role: Role;
  max_datagram: number | null;
  steps: Step[];
}

export function load<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../../tests/vectors/${name}`, import.meta.url), "utf8")) as T;
}

export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
export const toHex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** The vectors name fields as the protocol does (`client_id`), the program as TypeScript does (`clientId`). */
export function frameOf(json: Json): Frame {
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [camel(name), value])) as unknown as Frame;
}

export const counter = (counters: Counters, name: string): number => counters[camel(name) as keyof Counters];
