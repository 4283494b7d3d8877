/**
 * The agent's client: sign-in, the inbox of the whole shop kept live, and the conversations opened.
 *
 * What holds always: the kept token is renewed before it expires; when the server will not renew it, it
 * is forgotten and the link is signed out; signing out leaves nothing of the inbox in memory.
 * May import: chat, net, state.
 */

import type { AgentClient, AgentClientOptions, Person, PersonId, SearchPage, Summary, Uuid } from "../api.ts";
import type { Access, Why } from "../net/link.ts";
import { type AgentSession, RestError } from "../net/rest.ts";
import { pageFrom } from "../state/found.ts";
import { presenceFrom } from "../state/presence.ts";
import { readJson } from "../state/storage.ts";
import { summaryFrom } from "../state/summary.ts";
import type { WireMap } from "../wire/frames.ts";
import { Chat } from "./chat.ts";
import type { Platform } from "./platform.ts";

/** How often it is looked whether the token must be renewed. */
const RENEW_CHECK = 60_000;
/** Renewed when less than this part of its life is left. */
const RENEW_PART = 0.3;
const INBOX_PAGE = 50;
const SEARCH_PAGE = 20;
/** Pages that a reconnect reads to catch up; an inbox that moved further is read from its top. */
const CATCH_UP_PAGES = 5;

/** Why signing in did not work, in words for the person. */
export class SignInError extends Error {
  override readonly name = "SignInError";
  readonly code: string;
  /** Milliseconds to wait, after too many attempts. */
  readonly retryAfter: number | null;

  constructor(code: string, message: string, retryAfter: number | null) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

interface Kept extends AgentSession {
  readonly at: number;
}

export class AgentChat extends Chat implements AgentClient {
  readonly #key: string;
  readonly #server: string;
  #kept: Kept | null;
  /** Just signed in: the first attempt need not ask again. */
  #fresh = false;
  #renewals: ReturnType<typeof setInterval> | undefined;
  #cursor: string | null = null;
  #loaded = false;
  #loading: Promise<void> | null = null;
  /** Summaries of what the last search found, as they came: not of the inbox until they are opened. */
  readonly #found = new Map<Uuid, unknown>();

  constructor({ server }: AgentClientOptions, platform: Platform) {
    const key = `tradewind:agent:${server}`;
    const kept = readJson<Kept>(platform.local, key);
    super(platform, server, `${server}|${kept?.agent.id ?? ""}`);
    this.#key = key;
    this.#server = server;
    this.#kept = kept !== null && kept.expires_at > Date.now() ? kept : null;
    this.me = this.#kept?.agent.id ?? null;
  }

  get agent(): (Person & { readonly shop: string }) | null {
    return this.#kept?.agent ?? null;
  }

  get signedIn(): boolean {
    return this.#kept !== null;
  }

  get inbox(): readonly Summary[] {
    return this.summaries.list;
  }

  get inboxHasMore(): boolean {
    return this.#cursor !== null;
  }

  get inboxLoading(): boolean {
    return this.#loading !== null || !this.#loaded;
  }

  async signIn(email: string, password: string): Promise<void> {
    const session = await this.rest.agentSession(email.trim(), password).catch((error: unknown) => {
      if (!(error instanceof RestError)) throw error;
      throw new SignInError(error.code, error.message, error.retryAfter);
    });
    this.setScope(`${this.#server}|${session.agent.id}`);
    this.#keep(session);
    this.#fresh = true;
    await this.start();
  }

  signOut(): void {
    this.#forget();
    this.#found.clear();
    this.stop();
    this.link_.stop({ phase: "signed-out", reason: "" });
    this.reset();
  }

  override start(): Promise<void> {
    if (this.#kept === null) {
      this.link_.stop({ phase: "signed-out", reason: "" });
      return Promise.resolve();
    }
    clearInterval(this.#renewals);
    this.#renewals = setInterval(() => void this.#renew(), RENEW_CHECK);
    return super.start();
  }

  override stop(): void {
    clearInterval(this.#renewals);
    super.stop();
  }

  async open(id: Uuid): Promise<void> {
    const held = this.hold(id);
    if (this.summaries.get(id) === null) {
      const found = this.#found.get(id);
      if (found !== undefined) this.summaries.put(found);
      this.askSummary(id);
    }
    this.changed();
    if (held.log.last === 0) await this.history.newest(held);
  }

  assign(id: Uuid, agent: PersonId | null): void {
    this.enqueue(id, "assignment", { agent });
  }

  sendNote(id: Uuid, text: string): Uuid {
    return this.sendText(id, "note", text);
  }

  async search(query: string, cursor: string | null): Promise<SearchPage> {
    const value = await this.calls.call("search", { query, cursor, limit: SEARCH_PAGE });
    if (cursor === null) this.#found.clear();
    for (const wire of Array.isArray(value.conversations) ? value.conversations : []) {
      const summary = summaryFrom(wire);
      if (summary !== null) this.#found.set(summary.id, wire);
    }
    return pageFrom(value, (id) => this.summaries.get(id) ?? summaryFrom(this.#found.get(id)));
  }

  async reach(id: Uuid, seq: number): Promise<boolean> {
    const held = this.hold(id);
    await this.history.reach(held, seq);
    return held.log.first <= seq && seq <= held.log.last;
  }

  async loadMoreInbox(): Promise<void> {
    if (this.#cursor === null || this.#loading !== null) return;
    await this.#load(async () => {
      await this.#page(this.#cursor);
    });
  }

  protected override welcomed(state: WireMap): void {
    const people = Array.isArray(state.people) ? (state.people as Record<string, unknown>[]) : [];
    this.setOnline(new Map(people.map(({ who, state: how, detail }) => [String(who), presenceFrom(how, detail)])));
    void this.#load(() => this.#catchUp());
  }

  protected override linkChanged(): void {
    const { link } = this;
    if (link.phase !== "signed-out" || this.#kept === null) return;
    this.#forget();
    this.stop();
    this.link_.stop(link);
  }

  /** Signed out in another tab: signed out here. */
  protected override removedElsewhere(key: string): void {
    if (key === this.#key && this.#kept !== null) this.signOut();
  }

  protected override async access(why: Why): Promise<Access> {
    const kept = this.#latest();
    if (kept === null) throw new RestError(401, "signed_out", "Sign in to go on.");
    const fresh = this.#fresh;
    this.#fresh = false;
    if (why === "first" && fresh) return kept;
    if (why === "again") return { token: kept.token, connect: await this.rest.connect() };
    return this.#keep(await this.rest.refreshAgent(kept.token));
  }

  // The token.

  /** Another tab may have renewed the token meanwhile. */
  #latest(): Kept | null {
    const stored = readJson<Kept>(this.platform.local, this.#key);
    const newer = this.#kept !== null && stored?.agent.id === this.#kept.agent.id && stored.at > this.#kept.at;
    if (newer) this.#kept = stored;
    return this.#kept;
  }

  #keep(session: AgentSession): Kept {
    this.#kept = { ...session, at: Date.now() };
    this.platform.local.set(this.#key, JSON.stringify(this.#kept));
    this.me = session.agent.id;
    this.changed();
    return this.#kept;
  }

  #forget(): void {
    this.#kept = null;
    this.#cursor = null;
    this.#loaded = false;
    this.platform.local.remove(this.#key);
    clearInterval(this.#renewals);
    this.changed();
  }

  async #renew(): Promise<void> {
    const kept = this.#latest();
    if (kept === null) return;
    const left = kept.expires_at - Date.now();
    if (left > (kept.expires_at - kept.at) * RENEW_PART) return;
    // What fails now is tried again in a minute; a token that ran out meanwhile is met at the next sign-in.
    const session = await this.rest.refreshAgent(kept.token).catch(() => null);
    if (session !== null && this.#kept === kept) this.#keep(session);
  }

  // The inbox.

  #load(fetch: () => Promise<void>): Promise<void> {
    const run = (this.#loading ?? Promise.resolve())
      .then(fetch)
      // Refused or stopped: what is there stays, and the next welcome loads again.
      .catch(() => undefined)
      .finally(() => {
        if (this.#loading === run) this.#loading = null;
        this.changed();
      });
    this.#loading = run;
    this.changed();
    return run;
  }

  /** Reads from the top until it meets what is known, so that nothing that moved meanwhile is missed. */
  async #catchUp(): Promise<void> {
    const known = this.summaries.list[0]?.updatedAt ?? null;
    const cursor = this.#cursor;
    let next: string | null = null;
    for (let page = 0; page < CATCH_UP_PAGES; page++) {
      const read = await this.#page(next);
      next = this.#cursor;
      const met = known !== null && read.some(({ updatedAt }) => updatedAt <= known);
      if (met) this.#cursor = cursor;
      if (known === null || met || next === null) break;
    }
    this.#loaded = true;
  }

  async #page(cursor: string | null): Promise<Summary[]> {
    const value = await this.calls.call("inbox", { status: null, cursor, limit: INBOX_PAGE });
    const list = Array.isArray(value.conversations) ? value.conversations : [];
    const read = list.map((summary) => this.summaries.put(summary)).filter((summary) => summary !== null);
    this.#cursor = typeof value.cursor === "string" ? value.cursor : null;
    this.changed();
    return read;
  }
}
