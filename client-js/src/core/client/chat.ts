/**
 * What visitor and agent clients share: one link, the outbox and its courier, the conversations held,
 * marks, typing, presence. The roles add where tokens come from and which conversations they list.
 *
 * What holds always: commands that must not be lost go through the outbox; everything the server says
 * lands in one place, `#TAKE`; views change only after `#changed` was told.
 * May import: the rest of client, net, state, wire.
 */

import type {
  BaseClient,
  ConversationView,
  LinkState,
  Message,
  Person,
  PersonId,
  Presence,
  Refusal,
  Shop,
  Uuid,
} from "../api.ts";
import type { Carrier, Connect } from "../net/carrier.ts";
import { Failures } from "../net/failures.ts";
import { type Access, Link, type Why } from "../net/link.ts";
import { race } from "../net/race.ts";
import { Rest } from "../net/rest.ts";
import { Calls } from "../state/calls.ts";
import { Drafts } from "../state/drafts.ts";
import { fold } from "../state/fold.ts";
import type { Entry } from "../state/log.ts";
import { Marks } from "../state/marks.ts";
import type { OutboxEntry } from "../state/outbox.ts";
import { PresenceBook, presenceFrom } from "../state/presence.ts";
import { TypingIn, TypingOut } from "../state/typing.ts";
import { type Deliver, type Frame, type Hello, VERSION, type Welcome, type WireMap } from "../wire/frames.ts";
import { toBytes } from "../wire/uuid.ts";
import { Dispatch } from "./dispatch.ts";
import { type Held, Shelf } from "./held.ts";
import { History } from "./history.ts";
import { callEach, Notifier } from "./notifier.ts";
import type { Platform, Signal } from "./platform.ts";
import { Summaries } from "./summaries.ts";

const CLIENT_NAME = "tradewind-js/0.1.0";

type MessageListener = (conversation: Uuid, message: Message) => void;

export abstract class Chat implements BaseClient {
  readonly subscribe: (listener: () => void) => () => void;
  shop: Shop | null = null;
  me: PersonId | null = null;
  people: ReadonlyMap<PersonId, Person> = new Map();

  protected readonly platform: Platform;
  protected readonly rest: Rest;
  protected readonly link_: Link;
  protected readonly calls: Calls;
  protected readonly shelf = new Shelf();
  protected readonly history: History;
  protected readonly summaries = new Summaries();
  protected readonly changed: () => void;

  readonly #failures: Failures;
  readonly #notifier = new Notifier();
  readonly #messageListeners = new Set<MessageListener>();
  readonly #typingIn: TypingIn;
  readonly #typingOut: TypingOut;
  readonly #presence: PresenceBook;
  readonly #readMarks: Marks;
  readonly #receivedMarks: Marks;
  readonly #dispatch: Dispatch;
  #drafts: Drafts;
  #deaf: (() => void) | null = null;
  /** Summaries that are being asked for. */
  readonly #asked = new Set<string>();

  protected constructor(platform: Platform, server: string, scope: string) {
    this.platform = platform;
    this.rest = new Rest(server, platform.fetch);
    this.#failures = new Failures(platform.tab, server);
    this.subscribe = this.#notifier.subscribe;
    this.changed = this.#notifier.changed;
    this.link_ = this.#makeLink();
    const send = (frame: Frame): boolean => this.link_.send(frame);
    this.calls = new Calls(send, platform.random);
    this.history = new History(
      (method, params) => this.calls.call(method, params),
      (held) => this.#grown(held),
    );
    this.#typingIn = new TypingIn((conversation) => this.#typingChanged(conversation));
    this.#typingOut = new TypingOut((conversation, on) => send({ type: "typing", conversation, on, who: "" }));
    this.#presence = new PresenceBook((who) => {
      this.summaries.setPresence(who, this.presenceOf(who));
      this.changed();
    });
    this.#readMarks = new Marks((conversation, seq) => send({ type: "read", conversation, seq }));
    this.#receivedMarks = new Marks((conversation, seq) => send({ type: "received", conversation, seq, who: "" }));
    this.#dispatch = new Dispatch(platform.local, scope, platform.random, this.link_, (id) => this.#touch(id));
    this.#drafts = new Drafts(platform.local, scope);
  }

  // For the roles.

  protected abstract access(why: Why): Promise<Access>;
  /** The rest of `welcome.state`. */
  protected abstract welcomed(state: WireMap): void;
  protected linkChanged(): void {}
  /** Another tab removed a key of the store. */
  protected removedElsewhere(_key: string): void {}
  /** WebTransport failed where WebSocket did not: perhaps its certificate hashes are old. */
  protected addressFailed(): void {}
  /** Which conversations stay held whatever else is opened. */
  protected keep(id: Uuid): boolean {
    return this.#dispatch.of(id).length > 0;
  }

  /** Another person uses this client now: their own outbox and drafts, nothing of the last one's. */
  protected setScope(scope: string): void {
    this.reset();
    this.#dispatch.setScope(scope);
    this.#drafts = new Drafts(this.platform.local, scope);
  }

  /** Forgets what the last person wrote and did not send. */
  protected forgetWritten(): void {
    this.#dispatch.clear();
    this.#drafts.clear();
  }

  protected reset(): void {
    this.#hush();
    this.shelf.clear();
    this.summaries.clear();
    this.me = null;
    this.people = new Map();
    this.changed();
  }

  /** Holds a conversation; whether it was not held before. */
  protected hold(id: Uuid): Held {
    return this.shelf.hold(id, (other) => this.keep(other));
  }

  /** Puts a command into the outbox and lets it go. */
  protected enqueue(conversation: Uuid, kind: string, body: OutboxEntry["body"]): Uuid {
    return this.#dispatch.enqueue(conversation, kind, body);
  }

  protected newId(): Uuid {
    return this.#dispatch.newId();
  }

  protected setPeople(value: unknown): void {
    const list = Array.isArray(value) ? (value as Person[]) : [];
    this.people = new Map(list.map((person) => [person.id, Object.freeze({ ...person })]));
  }

  protected setPresence(who: PersonId, state: unknown, detail: unknown): void {
    this.#presence.set(who, presenceFrom(state, detail));
  }

  /** These are there, and nobody else is. */
  protected setOnline(people: ReadonlyMap<PersonId, Presence>): void {
    this.#presence.replace(people);
  }

  // BaseClient.

  get link(): LinkState {
    return this.link_.state;
  }

  presenceOf(person: PersonId): Presence {
    return this.#presence.of(person);
  }

  conversation(id: Uuid): ConversationView | null {
    const held = this.shelf.get(id);
    if (held === undefined) return null;
    return held.view(() => ({
      me: this.me,
      outbox: this.#dispatch.of(id),
      seen: this.#readMarks.of(id),
      typing: this.#typingIn.of(id),
      draft: this.#drafts.get(id),
    }));
  }

  onMessage(listener: MessageListener): () => void {
    const entry: MessageListener = (conversation, message) => listener(conversation, message);
    this.#messageListeners.add(entry);
    return () => this.#messageListeners.delete(entry);
  }

  start(): Promise<void> {
    this.#deaf ??= this.platform.listen((signal) => this.#heard(signal));
    return this.link_.start();
  }

  stop(): void {
    this.#hush();
    this.link_.stop();
  }

  retryNow(): void {
    if (this.link.phase === "stopped") void this.start();
    else this.link_.wake();
  }

  sendMessage(conversation: Uuid, text: string): Uuid {
    return this.sendText(conversation, "message", text);
  }

  protected sendText(conversation: Uuid, kind: "message" | "note", text: string): Uuid {
    this.#typingOut.stop();
    this.hold(conversation);
    return this.enqueue(conversation, kind, { text: text.trim() });
  }

  retry(_conversation: Uuid, clientId: Uuid): void {
    this.#dispatch.retry(clientId);
  }

  discard(_conversation: Uuid, clientId: Uuid): void {
    this.#dispatch.discard(clientId);
  }

  get refusal(): Refusal | null {
    return this.#dispatch.dropped;
  }

  dismissRefusal(): void {
    this.#dispatch.dismiss();
    this.changed();
  }

  edit(conversation: Uuid, seq: number, text: string): void {
    this.enqueue(conversation, "edit", { seq, text: text.trim() });
  }

  remove(conversation: Uuid, seq: number): void {
    this.enqueue(conversation, "deletion", { seq });
  }

  setStatus(conversation: Uuid, status: "open" | "closed"): void {
    this.enqueue(conversation, "status", { status });
  }

  markRead(conversation: Uuid): void {
    const view = this.conversation(conversation);
    if (view === null || view.unread === 0) return;
    const newest = view.timeline.findLast((item) => item.type === "message" && !item.message.mine);
    const seq = newest?.type === "message" ? newest.message.seq : null;
    if (seq === null) return;
    this.#readMarks.move(conversation, seq);
    this.summaries.patch(conversation, { unread: 0 });
    this.#touch(conversation);
  }

  typing(conversation: Uuid): void {
    if (this.link.phase === "live") this.#typingOut.struck(conversation, Date.now());
  }

  async loadOlder(conversation: Uuid): Promise<void> {
    const held = this.shelf.get(conversation);
    if (held !== undefined) await this.history.older(held);
  }

  setDraft(conversation: Uuid, text: string): void {
    if (this.#drafts.set(conversation, text)) this.#touch(conversation);
  }

  // The link.

  #makeLink(): Link {
    const { platform } = this;
    return new Link({
      access: (why) => this.access(why),
      hello: (token) => this.#hello(token),
      carry: (connect, signal, late) => this.#carry(connect, signal, late),
      random: platform.random,
      online: () => platform.online(),
      events: {
        changed: () => {
          this.linkChanged();
          this.changed();
        },
        joined: () => this.#joined(),
        welcomed: (welcome) => this.#welcomed(welcome),
        frame: (frame) => this.#TAKE[frame.type]?.(frame as never),
        // Presence is left to expire by itself: a short cut should not empty the room.
        lost: () => this.#typingIn.clear(),
      },
    });
  }

  #carry(
    { webtransport, websocket, head_start }: Connect,
    signal: AbortSignal,
    late: (carrier: Carrier) => void,
  ): Promise<Carrier> {
    const first = webtransport === null ? null : this.platform.webtransport(webtransport);
    const headStart = this.#failures.recent ? 0 : head_start;
    const verdict = {
      worked: this.#failures.worked,
      failed: () => {
        this.#failures.failed();
        this.addressFailed();
      },
    };
    return race({ first, second: this.platform.websocket(websocket.url), headStart, verdict, late }, signal);
  }

  #hello(token: string): Hello {
    return { type: "hello", version: VERSION, token, resume: this.shelf.positions(), client: CLIENT_NAME };
  }

  #heard(signal: Signal): void {
    if (signal.what === "network") this.#failures.worked();
    if (signal.what === "removed") {
      this.#dispatch.removedElsewhere(signal.key);
      this.removedElsewhere(signal.key);
    } else if (signal.what === "offline") this.link_.recheck();
    else this.link_.wake();
  }

  #joined(): void {
    this.#dispatch.restart();
    this.calls.restart();
    this.#readMarks.restart();
  }

  #welcomed({ me, resumed, state }: Welcome): void {
    this.me = me;
    if (state.shop !== undefined) this.shop = shopFrom(state.shop);
    this.setPeople(state.agents);
    for (const { conversation, head, recovered } of resumed) {
      const held = this.shelf.get(conversation);
      if (held === undefined) continue;
      if (held.log.last === 0) held.quietUntil = head;
      if (recovered) continue;
      held.log.clear();
      if (head > 0) void this.history.newest(held);
    }
    this.shelf.touchAll();
    this.welcomed(state);
    this.changed();
  }

  /** Stops everything that runs by itself. */
  #hush(): void {
    this.#deaf?.();
    this.#deaf = null;
    this.#dispatch.stop();
    this.#typingOut.stop();
    this.#typingIn.clear();
    this.#presence.clear();
    this.#readMarks.stop();
    this.#receivedMarks.stop();
    this.calls.stop();
  }

  // What the server says.

  readonly #TAKE: { readonly [T in Frame["type"]]?: (frame: Extract<Frame, { type: T }>) => void } = {
    deliver: (frame) => this.#deliver(frame),
    accepted: (frame) => this.#dispatch.accepted(frame, this.shelf.get(frame.conversation)?.log.last ?? null),
    queued: (frame) => this.#dispatch.queued(frame),
    refused: (frame) => (frame.call === null ? this.#dispatch.refused(frame) : this.calls.refused(frame)),
    result: (frame) => this.calls.answered(frame),
    presence: ({ who, state, detail }) => this.setPresence(who, state, detail),
    typing: ({ conversation, who, on }) => {
      if (who !== this.me) this.#typingIn.set(conversation, who, on);
    },
    received: ({ conversation, who, seq }) => {
      this.shelf.get(conversation)?.markReceived(who, seq);
      this.changed();
    },
  };

  #deliver(frame: Deliver): void {
    const { conversation: id } = frame;
    const held = this.shelf.get(id);
    const taken = held?.log.deliver(frame);
    if (frame.author === this.me) this.#mine(frame);
    else this.#typingIn.set(id, frame.author, false);
    const moved = this.summaries.move(id, frame, this.me);
    if (moved === "unknown") this.askSummary(id);
    if (held !== undefined && taken === "gap") void this.history.fillGap(held);
    if (held !== undefined && taken === "reset") void this.history.newest(held);
    if (held !== undefined && taken === "added") this.#grown(held);
    const fresh = held === undefined ? moved !== "old" : taken !== "ignored" && frame.seq > held.quietUntil;
    if (frame.author !== this.me && frame.kind === "message") this.#theirs(id, frame, fresh);
    this.changed();
  }

  /** An entry of my own has come back: it need not be kept any more. */
  #mine({ clientId, conversation, kind, body }: Deliver): void {
    this.#dispatch.delivered(clientId);
    if (kind === "read") this.#readMarks.settle(conversation, Number(body.seq));
  }

  #theirs(id: Uuid, entry: Entry, fresh: boolean): void {
    this.#receivedMarks.move(id, entry.seq);
    if (!fresh) return;
    const [item] = fold([entry], { me: this.me, outbox: [], received: new Map(), seen: 0 }).timeline;
    if (item?.type === "message") callEach(this.#messageListeners, id, item.message);
  }

  /** A log has grown, by an entry or by a page. */
  #grown(held: Held): void {
    this.#dispatch.prune(held.id, held.log.last);
    this.#touch(held.id);
  }

  // Small things.

  /** Asks for a summary that is missing; an answer that never comes is asked for again by the next entry. */
  protected askSummary(id: Uuid): void {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    this.calls
      .call("summary", { conversation: toBytes(id) })
      .then(
        (value) => {
          this.summaries.put(value);
          this.changed();
        },
        () => undefined,
      )
      .finally(() => this.#asked.delete(id));
  }

  #typingChanged(conversation: Uuid): void {
    const visitor = this.summaries.get(conversation)?.visitor.id;
    const typing = this.#typingIn.of(conversation).some((who) => who === visitor);
    this.summaries.patch(conversation, { typing });
    this.#touch(conversation);
  }

  #touch(conversation: Uuid): void {
    this.shelf.get(conversation)?.touch();
    this.changed();
  }
}

export function shopFrom(value: unknown): Shop {
  const { id, name, settings } = value as Partial<Shop>;
  return Object.freeze({ id: id ?? "", name: name ?? "", settings: Object.freeze({ ...settings }) });
}
