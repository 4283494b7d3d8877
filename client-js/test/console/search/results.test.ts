import { describe, expect, it } from "vitest";
import { itemsOf, MOST_PEOPLE, neighbourOf, peopleIn } from "../../../src/console/search/results.ts";
import type { SearchHit, SearchPerson, Summary } from "../../../src/core/api.ts";

function summary(id: string, name = "", email?: string): Summary {
  return {
    id,
    visitor: { id: `v:${id}`, name, ...(email === undefined ? {} : { email }) },
    status: "open",
    assignee: null,
    last: null,
    unread: 0,
    presence: { state: "offline", transport: null },
    typing: false,
    rating: null,
    createdAt: 0,
    updatedAt: 0,
  };
}

const hit = (id: string, seq: number): SearchHit => ({
  conversation: summary(id),
  seq,
  author: `v:${id}`,
  kind: "message",
  at: 0,
  excerpt: ["", "parcel"],
});
const person = (id: string): SearchPerson => ({ conversation: summary(id, id), name: [id], email: [""] });
const names = (people: readonly SearchPerson[]): string[] => people.map(({ name }) => name.join(""));

describe("people of the loaded rows", () => {
  const inbox = [summary("1", "Inês Carvalho", "ines@mail.example"), summary("2", "陈伟"), summary("3", "Zoë Łang")];

  it.each([
    ["ines", ["Inês Carvalho"]],
    ["CARV ines", ["Inês Carvalho"]],
    ["mail.ex", ["Inês Carvalho"]],
    ["伟", ["陈伟"]],
    ["zoe", ["Zoë Łang"]],
    ["kettle", []],
    ["ines kettle", []],
    ["  ", []],
  ])("are found by %j", (query, found) => expect(names(peopleIn(inbox, query))).toEqual(found));

  it("marks what matched, accents or not", () => {
    const [ines] = peopleIn(inbox, "INES carv");
    expect(ines?.name).toEqual(["", "Inês", " ", "Carv", "alho"]);
    expect(ines?.email).toEqual(["", "ines", "@mail.example"]);
    expect(peopleIn([summary("4", "Ine\u0302s")], "ine")[0]?.name).toEqual(["", "Inê", "s"]);
    expect(peopleIn(inbox, "伟")[0]?.name).toEqual(["陈", "伟"]);
  });

  it("know the names that visitors without one go by", () => {
    const [name = ""] = names(peopleIn([summary("5")], "o"));
    expect(name.split(" ")).toHaveLength(2);
  });
});

describe("the list of what is found", () => {
  it("has each visitor once, then the messages", () => {
    const keys = itemsOf([person("1"), person("2")], [person("2"), person("3")], [hit("1", 7), hit("1", 3)]);
    expect(keys.map(({ key }) => key)).toEqual(["person-2", "person-3", "person-1", "hit-1-7", "hit-1-3"]);
  });

  it("shows few people", () => {
    const many = Array.from({ length: 20 }, (_, index) => person(String(index)));
    expect(itemsOf(many, [], [hit("1", 1)])).toHaveLength(MOST_PEOPLE + 1);
  });

  it("is walked without leaving it", () => {
    const items = itemsOf([person("1")], [], [hit("1", 7), hit("1", 3)]);
    expect(neighbourOf(items, null, 1)).toBe("person-1");
    expect(neighbourOf(items, "person-1", 1)).toBe("hit-1-7");
    expect(neighbourOf(items, "hit-1-3", 1)).toBe("hit-1-3");
    expect(neighbourOf(items, "person-1", -1)).toBe("person-1");
    expect(neighbourOf(items, "gone", 1)).toBe("person-1");
    expect(neighbourOf([], null, 1)).toBeNull();
  });
});
