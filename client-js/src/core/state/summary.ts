/**
 * Summaries of conversations: read from the wire, moved on by entries, kept newest first. Pure.
 *
 * May import: api, fold's rules through log's types, presence, uuid.
 */

import type { PersonId, Summary } from "../api.ts";
import { fromWire } from "../wire/uuid.ts";
import type { Entry } from "./log.ts";
import { OFFLINE, presenceFrom } from "./presence.ts";

type Json = Readonly<Record<string, unknown>>;

const map = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
const number = (value: unknown): number => (typeof value === "number" ? value : 0);

/** A summary from the wire (docs/protocol.md, section 8); null when it has no id. */
export function summaryFrom(value: unknown): Summary | null {
  const json = map(value);
  const id = fromWire(json.id);
  if (id === null) return null;
  const presence = map(json.presence);
  return Object.freeze({
    id,
    visitor: visitorFrom(map(json.visitor)),
    status: json.status === "closed" ? "closed" : "open",
    assignee: textOrNull(json.assignee),
    last: lastFrom(json.last),
    unread: number(json.unread),
    presence: json.presence === undefined ? OFFLINE : presenceFrom(presence.state, presence),
    typing: false,
    rating: typeof json.rating === "number" ? json.rating : null,
    createdAt: number(json.created_at),
    updatedAt: number(json.updated_at),
  });
}

function visitorFrom(json: Json): Summary["visitor"] {
  const optional = (name: string): Json => (typeof json[name] === "string" ? { [name]: json[name] } : {});
  return Object.freeze({
    id: text(json.id),
    name: text(json.name),
    ...optional("email"),
    ...optional("language"),
    ...optional("page"),
  });
}

function lastFrom(value: unknown): Summary["last"] {
  if (typeof value !== "object" || value === null) return null;
  const json = map(value);
  return Object.freeze({
    seq: number(json.seq),
    author: text(json.author),
    kind: text(json.kind),
    text: text(json.text),
    at: number(json.at),
  });
}

/** The summary after one more entry. The same entry twice is the caller's to avoid. */
export function advance(summary: Summary, entry: Entry, me: PersonId | null): Summary {
  const next = {
    ...summary,
    updatedAt: Math.max(summary.updatedAt, entry.at),
    ...CHANGES[entry.kind]?.(summary, entry, me),
  };
  return Object.freeze(next);
}

type Change = (summary: Summary, entry: Entry, me: PersonId | null) => Partial<Summary>;

const CHANGES: { readonly [kind: string]: Change } = {
  message: (summary, entry, me) => ({
    last: lastOf(entry),
    status: entry.author.startsWith("v:") ? "open" : summary.status,
    unread: entry.author === me ? summary.unread : summary.unread + 1,
  }),
  note: (_summary, entry) => ({ last: lastOf(entry) }),
  edit: ({ last }, { body, author }) =>
    last !== null && last.seq === body.seq && last.author === author
      ? { last: { ...last, text: text(body.text) } }
      : {},
  deletion: ({ last }, { body }) => (last !== null && last.seq === body.seq ? { last: { ...last, text: "" } } : {}),
  assignment: (_summary, { body }) => ({ assignee: textOrNull(body.agent) }),
  status: (_summary, { body }) => ({ status: body.status === "closed" ? "closed" : "open" }),
  rating: (_summary, { body }) => ({ rating: number(body.score) }),
  read: (summary, { author, body }, me) =>
    author === me && number(body.seq) >= (summary.last?.seq ?? 0) ? { unread: 0 } : {},
};

function lastOf({ seq, author, kind, body, at }: Entry): Summary["last"] {
  return Object.freeze({ seq, author, kind, text: text(body.text), at });
}

/** Newest first; by id where the times are the same. */
export function sortSummaries(summaries: Iterable<Summary>): Summary[] {
  return [...summaries].sort((a, b) => b.updatedAt - a.updatedAt || (a.id < b.id ? 1 : -1));
}
