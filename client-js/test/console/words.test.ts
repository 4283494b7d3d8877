import { describe, expect, it } from "vitest";
import { tell } from "../../src/console/conversation/tell.ts";
import { readPreferences } from "../../src/console/preferences.ts";
import { refusalInWords } from "../../src/console/sentence.ts";
import { linkText, transportName } from "../../src/console/transports.ts";
import type { Happening } from "../../src/core/api.ts";

const names: Record<string, string> = { "a:1": "Mara", "a:2": "Kenji", "v:1": "Inês" };
const say = (change: Partial<Happening>): string =>
  tell({ seq: 1, kind: "assignment", author: "a:2", at: 0, ...change }, "a:1", (id) => names[id] ?? "?");

describe("happenings", () => {
  it.each<[Partial<Happening>, string]>([
    [{ assignee: "a:2" }, "Kenji took this conversation"],
    [{ assignee: "a:1" }, "Kenji assigned this to you"],
    [{ author: "a:1", assignee: "a:2" }, "You assigned this to Kenji"],
    [{ assignee: null }, "Kenji took the assignment away"],
    [{ kind: "status", status: "closed" }, "Kenji closed the conversation"],
    [{ kind: "status", author: "a:1", status: "open" }, "You opened the conversation again"],
    [{ kind: "rating", author: "v:1", score: 4 }, "Inês rated this conversation ★★★★☆"],
    [{ kind: "rating", author: "v:1", score: 5, comment: "Kind" }, "Inês rated this conversation ★★★★★ “Kind”"],
  ])("%o is %s", (change, expected) => expect(say(change)).toBe(expected));
});

describe("refusals", () => {
  it.each([
    ["at_capacity", "Ann has 3 already", "Ann has 3 already. Close one of them first, or choose somebody else."],
    ["not_found", "there is no such agent", "There is no such agent."],
  ])("%s", (code, message, expected) => expect(refusalInWords({ conversation: "", code, message })).toBe(expected));
});

describe("transports", () => {
  it("have names, also those we do not know yet", () => {
    expect(transportName("websocket-h1")).toBe("WebSocket · HTTP/1.1");
    expect(transportName("carrier-pigeon")).toBe("carrier-pigeon");
  });

  it("tell the state of the link", () => {
    expect(linkText({ phase: "live", transport: "webtransport", since: 0, rtt: 41.7 })).toBe("WebTransport · 42 ms");
    expect(linkText({ phase: "live", transport: "websocket", since: 0, rtt: null })).toBe("WebSocket");
    expect(linkText({ phase: "reconnecting", retryAt: 0, attempt: 1 })).toBe("Reconnecting…");
    expect(linkText({ phase: "stopped", code: 4200, reason: "" })).toBe("Disconnected");
  });
});

describe("preferences", () => {
  it.each([null, "", "no json", "[]", "null", '{"theme":"pink","sound":"yes"}'])("fall back for %s", (text) => {
    expect(readPreferences(text)).toEqual({ theme: "auto", sound: true, notifications: false });
  });

  it("are kept", () => {
    const kept = { theme: "dark", sound: false, notifications: true };
    expect(readPreferences(JSON.stringify(kept))).toEqual(kept);
  });
});
