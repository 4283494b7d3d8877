import { describe, expect, test } from "vitest";
import type { Message } from "../../../src/core/api.ts";
import { type FoldContext, type Folded, fold } from "../../../src/core/state/fold.ts";
import type { Entry } from "../../../src/core/state/log.ts";
import type { OutboxEntry } from "../../../src/core/state/outbox.ts";

const ME = "v:me";
const ADA = "a:ada";
const BOB = "a:bob";

type Line = [author: string, kind: string, body: Entry["body"]];

const log = (...lines: Line[]): Entry[] =>
  lines.map(([author, kind, body], at) => ({ epoch: 1, seq: at + 1, author, clientId: `c${at + 1}`, kind, body, at }));

const waiting = (
  clientId: string,
  kind: string,
  body: Entry["body"],
  more: Partial<OutboxEntry> = {},
): OutboxEntry => ({
  clientId,
  conversation: "c",
  kind,
  body,
  at: 99,
  failure: null,
  accepted: null,
  ...more,
});

const context = (more: Partial<FoldContext> = {}): FoldContext => ({
  me: ME,
  outbox: [],
  received: new Map(),
  seen: 0,
  ...more,
});

const messages = ({ timeline }: Folded): Message[] =>
  timeline.flatMap((item) => (item.type === "message" ? [item.message] : []));
const happenings = ({ timeline }: Folded): unknown[] =>
  timeline.flatMap((item) => (item.type === "happening" ? [item.happening.kind] : []));

describe("messages", () => {
  test("an edit by the author changes the text, by somebody else nothing", () => {
    const lines: Line[] = [[ME, "message", { text: "a" }]];
    const folded = fold(
      log(...lines, [ME, "edit", { seq: 1, text: "b" }], [ADA, "edit", { seq: 1, text: "c" }]),
      context(),
    );
    expect(messages(folded)[0]).toMatchObject({ text: "b", edited: true, mine: true });
  });

  test("what is deleted stays deleted, and what was never a message is left alone", () => {
    const folded = fold(
      log(
        [ME, "message", { text: "a" }],
        [ADA, "deletion", { seq: 1 }],
        [ME, "edit", { seq: 1, text: "back" }],
        [ME, "edit", { seq: 2, text: "no message" }],
        [ME, "deletion", { seq: 77 }],
      ),
      context(),
    );
    expect(messages(folded)).toHaveLength(1);
    expect(messages(folded)[0]).toMatchObject({ text: "", deleted: true, edited: false });
  });

  test("hidden and unknown kinds show nothing", () => {
    const folded = fold(log([ADA, "hidden", {}], [ADA, "sparkles", { text: "?" }]), context());
    expect(folded.timeline).toEqual([]);
    expect(folded.unread).toBe(0);
  });

  test("a body that makes no sense does no harm", () => {
    const folded = fold(
      log([ADA, "message", {}], [ADA, "edit", { seq: "1" }], [ADA, "read", { seq: "x" }], [ADA, "status", {}]),
      context(),
    );
    expect(messages(folded)[0]?.text).toBe("");
  });
});

describe("state", () => {
  test("assignment, status and rating: the last one counts, each is told", () => {
    const folded = fold(
      log(
        [ADA, "assignment", { agent: ADA }],
        [ADA, "status", { status: "closed" }],
        [ME, "rating", { score: 4, comment: "ok" }],
      ),
      context(),
    );
    expect(folded).toMatchObject({ assignee: ADA, status: "closed", rating: 4 });
    expect(happenings(folded)).toEqual(["assignment", "status", "rating"]);
  });

  test("a visitor's message opens a closed conversation again, an agent's does not", () => {
    const closed: Line = [ADA, "status", { status: "closed" }];
    expect(fold(log(closed, [ADA, "message", { text: "bye" }]), context()).status).toBe("closed");
    expect(fold(log(closed, [ME, "message", { text: "wait" }]), context()).status).toBe("open");
  });
});

describe("marks", () => {
  const mine: Line = [ME, "message", { text: "a" }];

  test("sent, delivered, read: as far as anybody on the other side has it", () => {
    expect(messages(fold(log(mine), context()))[0]?.state).toBe("sent");
    expect(messages(fold(log(mine), context({ received: new Map([[ADA, 1]]) })))[0]?.state).toBe("delivered");
    expect(messages(fold(log(mine, [ADA, "read", { seq: 1 }]), context()))[0]?.state).toBe("read");
  });

  test("my own marks say nothing of my messages; a note is for the other agents", () => {
    expect(
      messages(fold(log(mine, [ME, "read", { seq: 1 }]), context({ received: new Map([[ME, 1]]) })))[0]?.state,
    ).toBe("sent");
    const note: Line = [ADA, "note", { text: "n" }];
    expect(messages(fold(log(note, [ME, "read", { seq: 1 }]), context({ me: ADA })))[0]?.state).toBe("sent");
    expect(messages(fold(log(note, [BOB, "read", { seq: 1 }]), context({ me: ADA })))[0]?.state).toBe("read");
  });

  test("a read mark only grows", () => {
    expect(fold(log(mine, [ADA, "read", { seq: 5 }], [ADA, "read", { seq: 2 }]), context()).reads).toEqual({
      [ADA]: 5,
    });
  });

  test("unread: others' messages after my mark, in the log or on its way there", () => {
    const entries = log(
      [ADA, "message", { text: "1" }],
      [ME, "read", { seq: 1 }],
      [ADA, "message", { text: "3" }],
      mine,
    );
    expect(fold(entries, context()).unread).toBe(1);
    expect(fold(entries, context({ seen: 3 })).unread).toBe(0);
  });
});

describe("the outbox", () => {
  test("comes last, and not twice when the log has it", () => {
    const entries = log([ME, "message", { text: "a" }]);
    const outbox = [waiting("c1", "message", { text: "a" }), waiting("c9", "message", { text: "b" })];
    expect(messages(fold(entries, context({ outbox }))).map(({ text, state, seq }) => [text, state, seq])).toEqual([
      ["a", "sent", 1],
      ["b", "sending", null],
    ]);
  });

  test("accepted but not delivered yet counts as sent; refused as failed", () => {
    const failure = { code: "invalid", message: "no" };
    const outbox = [
      waiting("c1", "message", { text: "a" }, { accepted: 1 }),
      waiting("c2", "message", { text: "b" }, { failure }),
    ];
    expect(messages(fold([], context({ outbox }))).map(({ state, error }) => [state, error])).toEqual([
      ["sent", null],
      ["failed", failure],
    ]);
  });

  test("takes effect before it is told", () => {
    const outbox = [waiting("c8", "edit", { seq: 1, text: "b" }), waiting("c9", "status", { status: "closed" })];
    const folded = fold(log([ME, "message", { text: "a" }]), context({ outbox }));
    expect(messages(folded)[0]?.text).toBe("b");
    expect(folded.status).toBe("closed");
    expect(happenings(folded)).toEqual([]);
  });
});

test("views are frozen", () => {
  const folded = fold(log([ME, "message", { text: "a" }]), context());
  expect(Object.isFrozen(folded.timeline) && Object.isFrozen(messages(folded)[0])).toBe(true);
});
