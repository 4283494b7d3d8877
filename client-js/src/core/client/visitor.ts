/**
 * The visitor's client: who they are is kept in the browser, per server and shop, so that they meet the
 * same conversations on every page and after every reload.
 *
 * What holds always: a session that was made with an identity is never used without it, nor with
 * another: after a customer signs out of the shop, nothing of their chat is there for the next person.
 * An anonymous visitor who signs in at the shop stays the same visitor, if the shop did not know them yet.
 * May import: chat, net, state.
 */

import type { Summary, Uuid, VisitorClient, VisitorClientOptions } from "../api.ts";
import type { Access, Why } from "../net/link.ts";
import type { VisitorSession } from "../net/rest.ts";
import { readJson } from "../state/storage.ts";
import type { WireMap } from "../wire/frames.ts";
import { isUuid } from "../wire/uuid.ts";
import { Chat, shopFrom } from "./chat.ts";
import type { Platform } from "./platform.ts";

/** A kept token is used without asking only while it has this many milliseconds to live. */
const MARGIN = 60_000;
/** Addresses and certificate hashes that are older are asked for anew. */
const ADDRESS_AGE = 6 * 3_600_000;

interface Kept extends VisitorSession {
  /** Whom the shop says this is; null for an anonymous visitor. */
  readonly subject: string | null;
  readonly at: number;
}

export class VisitorChat extends Chat implements VisitorClient {
  readonly #options: VisitorClientOptions;
  readonly #scope: string;
  #kept: Kept | null;
  #current: Uuid;
  /** Whether the person chose `current` themselves. */
  #chosen: boolean;

  constructor(options: VisitorClientOptions, platform: Platform) {
    const scope = `${options.server}|${options.shop}`;
    super(platform, options.server, scope);
    this.#options = options;
    this.#scope = scope;
    this.#kept = this.#stored();
    if (this.#kept !== null && !this.#isTheirs(this.#kept, options.identity)) this.#forget();
    const current = platform.local.get(this.#key("current"));
    this.#chosen = current !== null && isUuid(current);
    this.#current = this.#chosen && current !== null ? current : this.newId();
    this.hold(this.#current);
    if (this.#kept !== null) {
      this.me = this.#kept.visitor;
      this.shop = shopFrom(this.#kept.shop);
    }
  }

  get current(): Uuid {
    return this.#current;
  }

  get conversations(): readonly Summary[] {
    return this.summaries.list;
  }

  openConversation(id: Uuid): void {
    this.#choose(id);
    const held = this.hold(id);
    if (this.link.phase === "live" && held.log.last === 0 && this.summaries.get(id) !== null) {
      void this.history.newest(held);
    }
  }

  newConversation(): Uuid {
    const id = this.newId();
    this.#choose(id);
    this.hold(id);
    return id;
  }

  rate(conversation: Uuid, score: number, comment = ""): void {
    this.enqueue(conversation, "rating", { score, comment });
  }

  override sendMessage(conversation: Uuid, text: string): Uuid {
    if (conversation === this.#current && !this.#chosen) this.#choose(conversation);
    return super.sendMessage(conversation, text);
  }

  protected override keep(id: Uuid): boolean {
    return id === this.#current || super.keep(id);
  }

  protected override welcomed(state: WireMap): void {
    const list = Array.isArray(state.conversations) ? state.conversations : [];
    for (const value of list) this.summaries.put(value);
    const newest = this.summaries.list[0];
    // On a device that has chosen nothing yet, go on where the person was elsewhere.
    if (!this.#chosen && newest !== undefined) this.openConversation(newest.id);
  }

  protected override async access(why: Why): Promise<Access> {
    const kept = this.#kept;
    const now = Date.now();
    const valid = kept !== null && kept.expires_at - now > MARGIN;
    if (why === "first" && valid && this.#options.identity === undefined && now - kept.at < ADDRESS_AGE) return kept;
    if (why === "again" && valid) return { token: kept.token, connect: await this.rest.connect() };
    return this.#signIn();
  }

  /** The next page asks where to connect instead of trusting what is kept. */
  protected override addressFailed(): void {
    if (this.#kept !== null) this.#store({ ...this.#kept, at: 0 });
  }

  /** Becomes a visitor, the same as before where that is still possible. */
  async #signIn(): Promise<Access> {
    const { shop, language, identity } = this.#options;
    const jwt = typeof identity === "function" ? await identity() : identity;
    // Another tab may have become a visitor meanwhile: be the same.
    this.#kept ??= this.#stored();
    if (this.#kept !== null && !this.#isTheirs(this.#kept, jwt)) {
      this.#forget();
      this.#startOver();
    }
    const former = this.#kept?.token;
    const session = await this.rest.visitorSession({
      shop,
      page: this.platform.page(),
      ...(language === undefined ? {} : { language }),
      ...(jwt === undefined ? {} : { identity: jwt }),
      ...(former === undefined ? {} : { token: former }),
    });
    this.#keep(session, jwt === undefined ? null : subjectOf(jwt));
    return session;
  }

  #keep(session: VisitorSession, subject: string | null): void {
    const before = this.#kept?.visitor;
    this.#store({ ...session, subject, at: Date.now() });
    if (before !== undefined && before !== session.visitor) this.#startOver();
    this.me = session.visitor;
    this.shop = shopFrom(session.shop);
    this.changed();
  }

  /** Whether what is kept may be used by whom the shop names now; a function will say later who that is. */
  #isTheirs({ subject }: Kept, identity: VisitorClientOptions["identity"]): boolean {
    if (subject === null || typeof identity === "function") return true;
    return identity !== undefined && subjectOf(identity) === subject;
  }

  #stored(): Kept | null {
    return readJson<Kept>(this.platform.local, this.#key("visitor"));
  }

  #store(kept: Kept): void {
    this.#kept = kept;
    this.platform.local.set(this.#key("visitor"), JSON.stringify(kept));
  }

  /** Somebody else than before: nothing of the other's is shown. */
  #startOver(): void {
    this.shelf.clear();
    this.summaries.clear();
    this.platform.local.remove(this.#key("current"));
    this.#chosen = false;
    this.#current = this.newId();
    this.hold(this.#current);
  }

  #forget(): void {
    this.#kept = null;
    this.platform.local.remove(this.#key("visitor"));
    this.platform.local.remove(this.#key("current"));
    this.forgetWritten();
  }

  #choose(id: Uuid): void {
    this.#current = id;
    this.#chosen = true;
    this.platform.local.set(this.#key("current"), id);
    this.changed();
  }

  #key(name: string): string {
    return `tradewind:${name}:${this.#scope}`;
  }
}

/** Whom a JWT names. The server checks it; here it only tells two customers apart. */
function subjectOf(jwt: string): string {
  try {
    const payload = jwt.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    return String((JSON.parse(atob(payload)) as { sub?: unknown }).sub);
  } catch {
    return jwt;
  }
}
