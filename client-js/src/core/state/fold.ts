/**
 * The fold: entries of a log, and what still waits in the outbox, become what a person sees
 * (docs/protocol.md, section 7). Pure.
 *
 * What holds always: the same entries give the same view, however they came in; an edit or deletion of
 * something that is no message, or is deleted, changes nothing; a kind that is not known shows nothing.
 * May import: log's and outbox's types.
 */

import type { Happening, Message, PersonId, SendState, TimelineItem } from "../api.ts";
import type { Entry } from "./log.ts";
import type { OutboxEntry } from "./outbox.ts";

/** What the fold needs beside the entries. */
export interface FoldContext {
  readonly me: PersonId | null;
  readonly outbox: readonly OutboxEntry[];
  /** How far each person's device has received. */
  readonly received: ReadonlyMap<PersonId, number>;
  /** My own read mark where it is not in the log yet. */
  readonly seen: number;
}

export interface Folded {
  readonly status: "open" | "closed";
  readonly assignee: PersonId | null;
  readonly timeline: readonly TimelineItem[];
  readonly unread: number;
  readonly reads: Readonly<Record<PersonId, number>>;
  readonly rating: number | null;
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };

interface State {
  status: "open" | "closed";
  assignee: PersonId | null;
  rating: number | null;
  reads: Record<PersonId, number>;
  /** Messages by seq, happenings between them, in order of appearance. */
  items: (Draft<Message> | Happening)[];
  messages: Map<number, Draft<Message>>;
}

/** An entry, or one of the outbox: then `seq` is null. */
interface Event {
  readonly seq: number | null;
  readonly author: PersonId;
  readonly clientId: string;
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly at: number;
  readonly failure?: Message["error"];
  readonly accepted?: number | null;
  readonly queued?: boolean;
}

export function fold(entries: readonly Entry[], context: FoldContext): Folded {
  const state: State = { status: "open", assignee: null, rating: null, reads: {}, items: [], messages: new Map() };
  for (const entry of entries) apply(state, entry);
  const inLog = new Set(entries.map((entry) => entry.clientId));
  for (const entry of context.outbox) {
    if (inLog.has(entry.clientId)) continue;
    // What was refused for good is shown, but has no effect.
    if (entry.failure === null || isText(entry.kind)) apply(state, { ...entry, seq: null, author: context.me ?? "" });
  }
  return finish(state, context);
}

const isText = (kind: string): kind is "message" | "note" => kind === "message" || kind === "note";

function apply(state: State, event: Event): void {
  RULES[event.kind]?.(state, event);
}

type Rule = (state: State, event: Event) => void;

const RULES: { readonly [kind: string]: Rule } = {
  message: (state, event) => {
    addText(state, event, "message");
    // A visitor who writes again opens the conversation again (section 7).
    if (event.author.startsWith("v:") && !event.failure) state.status = "open";
  },
  note: (state, event) => addText(state, event, "note"),
  edit: (state, { body, author }) => {
    const message = target(state, body);
    if (message?.author !== author) return;
    message.text = text(body.text);
    message.edited = true;
  },
  deletion: (state, { body }) => {
    const message = target(state, body);
    if (message === undefined) return;
    message.text = "";
    message.deleted = true;
  },
  assignment: (state, event) => {
    const assignee = typeof event.body.agent === "string" ? event.body.agent : null;
    state.assignee = assignee;
    happen(state, event, { kind: "assignment", assignee });
  },
  status: (state, event) => {
    const status = event.body.status === "closed" ? "closed" : "open";
    state.status = status;
    happen(state, event, { kind: "status", status });
  },
  rating: (state, event) => {
    const score = Number(event.body.score);
    state.rating = score;
    happen(state, event, { kind: "rating", score, comment: text(event.body.comment) });
  },
  read: (state, { author, body }) => {
    state.reads[author] = Math.max(state.reads[author] ?? 0, Number(body.seq) || 0);
  },
};

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function addText(state: State, event: Event, kind: "message" | "note"): void {
  const message: Draft<Message> = {
    clientId: event.clientId,
    seq: event.seq,
    author: event.author,
    mine: false,
    kind,
    text: text(event.body.text),
    edited: false,
    deleted: false,
    at: event.at,
    state: event.failure ? "failed" : event.accepted ? "sent" : event.queued ? "queued" : "sending",
    error: event.failure ?? null,
  };
  state.items.push(message);
  if (event.seq !== null) state.messages.set(event.seq, message);
}

/** The message that an edit or a deletion means, unless it is gone. */
function target(state: State, body: Event["body"]): Draft<Message> | undefined {
  const message = state.messages.get(Number(body.seq));
  return message?.deleted ? undefined : message;
}

type What = Omit<Happening, "seq" | "author" | "at">;

/** Notes what happened; what is only in the outbox takes effect, but is not told as a happening yet. */
function happen(state: State, { seq, author, at }: Event, what: What): void {
  if (seq !== null) state.items.push({ seq, author, at, ...what });
}

function finish(state: State, context: FoldContext): Folded {
  const reads = Object.freeze(state.reads);
  const seen = Math.max(context.seen, context.me === null ? 0 : (reads[context.me] ?? 0));
  let unread = 0;
  const timeline = state.items.map((item): TimelineItem => {
    if (!("clientId" in item)) return Object.freeze({ type: "happening", happening: Object.freeze(item) });
    item.mine = item.author === context.me;
    if (item.seq !== null) item.state = tick(item, item.seq, reads, context.received);
    if (item.kind === "message" && !item.mine && !item.deleted && (item.seq ?? 0) > seen) unread += 1;
    return Object.freeze({ type: "message", message: Object.freeze(item) });
  });
  const { status, assignee, rating } = state;
  return { status, assignee, rating, reads, unread, timeline: Object.freeze(timeline) };
}

/** How far a message got: the furthest that anybody it is meant for has it. Notes are for the other agents. */
function tick(
  { author, kind }: Message,
  seq: number,
  reads: Readonly<Record<PersonId, number>>,
  received: ReadonlyMap<PersonId, number>,
): SendState {
  const side = author.slice(0, 2);
  const others = (who: PersonId): boolean =>
    kind === "note" ? who !== author && who.startsWith(side) : !who.startsWith(side);
  if (Object.entries(reads).some(([who, mark]) => others(who) && mark >= seq)) return "read";
  for (const [who, mark] of received) if (others(who) && mark >= seq) return "delivered";
  return "sent";
}
