/**
 * What the core offers to the widget, the console and anybody who embeds Tradewind: types only.
 *
 * The core is framework-free. State is read with getters that return frozen snapshots (a new object
 * whenever something changed, the same object when nothing did) and watched with `subscribe`.
 */

/** UUID in its 36-character text form. */
export type Uuid = string;
/** `v:<uuid>` visitor, `a:<uuid>` agent, `s:system`. */
export type PersonId = string;
/** Unix milliseconds. */
export type Millis = number;

export type TransportName = "webtransport" | "websocket";

/**
 * connecting: the first attempt runs. live: commands flow. reconnecting: lost, trying again at
 * `retryAt`. offline: the browser says there is no network. stopped: the server told us to stop, or
 * `stop()` was called. signed-out: the token is no good and could not be renewed.
 */
export type LinkState =
  | { phase: "idle" }
  | { phase: "connecting" }
  | { phase: "live"; transport: TransportName; since: Millis; rtt: number | null }
  | { phase: "reconnecting"; retryAt: Millis; attempt: number }
  | { phase: "offline" }
  | { phase: "signed-out"; reason: string }
  | { phase: "stopped"; code: number; reason: string };

/** sending: in the outbox. queued: on disk in this region, not yet in the log, which another region orders. sent: in the
 * log, on the server's disk. failed: refused for good. */
export type SendState = "sending" | "queued" | "sent" | "delivered" | "read" | "failed";

/** A message as a person sees it: the fold of `message` (or `note`), `edit` and `deletion`. */
export interface Message {
  readonly clientId: Uuid;
  /** null while it is only in the outbox. */
  readonly seq: number | null;
  readonly author: PersonId;
  readonly mine: boolean;
  readonly kind: "message" | "note";
  readonly text: string;
  readonly edited: boolean;
  readonly deleted: boolean;
  readonly at: Millis;
  readonly state: SendState;
  /** Why it failed, for state `failed`. */
  readonly error: { code: string; message: string } | null;
}

/** Something that happened between messages: assignment, status, rating. */
export interface Happening {
  readonly seq: number;
  readonly kind: "assignment" | "status" | "rating";
  readonly author: PersonId;
  readonly at: Millis;
  readonly assignee?: PersonId | null;
  readonly status?: "open" | "closed";
  readonly score?: number;
  readonly comment?: string;
}

export type TimelineItem =
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "happening"; readonly happening: Happening };

/** One conversation as this client holds it. */
export interface ConversationView {
  readonly id: Uuid;
  readonly status: "open" | "closed";
  readonly assignee: PersonId | null;
  /** Ascending by seq; what is still in the outbox comes last. */
  readonly timeline: readonly TimelineItem[];
  /** Whether older entries can be loaded with `loadOlder`. */
  readonly hasOlder: boolean;
  /** Messages of others after my read mark. */
  readonly unread: number;
  /** Read marks by person. */
  readonly reads: Readonly<Record<PersonId, number>>;
  /** People typing now; entries expire by themselves. */
  readonly typing: readonly PersonId[];
  readonly rating: number | null;
  readonly draft: string;
}

export interface Presence {
  readonly state: "online" | "away" | "offline";
  /** webtransport, websocket-h3, websocket-h2, websocket-h1, or null when offline. */
  readonly transport: string | null;
}

export interface Person {
  readonly id: PersonId;
  readonly name: string;
  readonly email?: string;
  readonly role?: string;
}

/** A row of the agent's inbox (docs/protocol.md, section 8). */
export interface Summary {
  readonly id: Uuid;
  readonly visitor: Person & { readonly language?: string; readonly page?: string };
  readonly status: "open" | "closed";
  readonly assignee: PersonId | null;
  readonly last: { seq: number; author: PersonId; kind: string; text: string; at: Millis } | null;
  readonly unread: number;
  readonly presence: Presence;
  readonly typing: boolean;
  readonly rating: number | null;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
}

/** Text in pieces: every second one, from the second on, is what the query matched. */
export type Pieces = readonly string[];

/** A message or note that a search found. */
export interface SearchHit {
  readonly conversation: Summary;
  readonly seq: number;
  readonly author: PersonId;
  readonly kind: "message" | "note";
  readonly at: Millis;
  readonly excerpt: Pieces;
}

/** A visitor that a search found, by their newest conversation. */
export interface SearchPerson {
  readonly conversation: Summary;
  readonly name: Pieces;
  readonly email: Pieces;
}

export interface SearchPage {
  /** Newest first. */
  readonly hits: readonly SearchHit[];
  /** On the first page only. */
  readonly people: readonly SearchPerson[];
  /** What the next page starts from; null when there is none. */
  readonly cursor: string | null;
}

/** `settings` is free: the widget reads color, greeting, launcher and so on from it. */
export interface Shop {
  readonly id: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What visitor and agent clients share. */
export interface BaseClient {
  readonly link: LinkState;
  readonly shop: Shop | null;
  readonly me: PersonId | null;
  /** Agents of the shop by id. */
  readonly people: ReadonlyMap<PersonId, Person>;
  presenceOf(person: PersonId): Presence;
  conversation(id: Uuid): ConversationView | null;

  /** Calls back after every change, at most once per microtask. Returns the unsubscriber. */
  subscribe(listener: () => void): () => void;
  /** A message of somebody else arrived live (for sounds, notifications, titles). */
  onMessage(listener: (conversation: Uuid, message: Message) => void): () => void;

  start(): Promise<void>;
  /** Leaves on purpose and stays away. */
  stop(): void;
  /** Skips the back-off ("Try now"). */
  retryNow(): void;

  /** Queues a message durably and returns its clientId at once. */
  sendMessage(conversation: Uuid, text: string): Uuid;
  /** Sends a failed message again under a new id, or drops it from the outbox. */
  retry(conversation: Uuid, clientId: Uuid): void;
  discard(conversation: Uuid, clientId: Uuid): void;
  edit(conversation: Uuid, seq: number, text: string): void;
  remove(conversation: Uuid, seq: number): void;
  /** Marks everything up to the newest entry as read. Call when the person sees it. */
  markRead(conversation: Uuid): void;
  /** Call on every key stroke; the client throttles it and sends the stop by itself. */
  typing(conversation: Uuid): void;
  loadOlder(conversation: Uuid): Promise<void>;
  setDraft(conversation: Uuid, text: string): void;
  setStatus(conversation: Uuid, status: "open" | "closed"): void;
}

export interface VisitorClientOptions {
  /** Where the server's REST lives, for example `https://chat.example:8443`. */
  readonly server: string;
  readonly shop: string;
  /** A JWT signed by the shop, or a function that fetches one. */
  readonly identity?: string | (() => Promise<string>);
  readonly language?: string;
}

export interface VisitorClient extends BaseClient {
  /** The conversation the widget shows; the id exists before the first message is sent. */
  readonly current: Uuid;
  /** All my conversations, newest first. */
  readonly conversations: readonly Summary[];
  openConversation(id: Uuid): void;
  /** Starts a new one; the next message creates it. */
  newConversation(): Uuid;
  rate(conversation: Uuid, score: number, comment?: string): void;
}

/** Why something did not happen: a code of docs/protocol.md, section 9, and the server's words. */
export interface Refusal {
  readonly conversation: Uuid;
  readonly code: string;
  readonly message: string;
}

export interface AgentClientOptions {
  readonly server: string;
}

export interface AgentClient extends BaseClient {
  readonly agent: (Person & { readonly shop: string }) | null;
  /** Signed in from a kept token? `start()` resumes it. */
  readonly signedIn: boolean;
  /** Throws SignInError with a message for the person. */
  signIn(email: string, password: string): Promise<void>;
  signOut(): void;

  readonly inbox: readonly Summary[];
  readonly inboxHasMore: boolean;
  readonly inboxLoading: boolean;
  loadMoreInbox(): Promise<void>;
  /** Loads the timeline and keeps it live. */
  open(id: Uuid): Promise<void>;
  assign(id: Uuid, agent: PersonId | null): void;
  /** What the server would not do last, other than taking a text (that one stays in the timeline). */
  readonly refusal: Refusal | null;
  dismissRefusal(): void;
  sendNote(id: Uuid, text: string): Uuid;
  /** Messages and visitors of the shop. Rejects when the server will not or cannot. */
  search(query: string, cursor: string | null): Promise<SearchPage>;
  /** Loads a conversation back to one of its entries; whether it is there now. */
  reach(id: Uuid, seq: number): Promise<boolean>;
}
