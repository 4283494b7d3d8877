import { describe, expect, it } from "vitest";
import { rank, score } from "../../src/console/overlay/search.ts";

const commands = ["Reply", "Add a note", "Assign to me", "Assign to Mara", "Close the conversation"].map((name) => ({
  name,
}));
const found = (query: string): string[] => rank(commands, query).map(({ name }) => name);

describe("the palette's search", () => {
  it("keeps the order when nothing is asked", () => expect(found("")).toEqual(commands.map(({ name }) => name)));
  it("finds letters in their order", () => {
    expect(found("asm")).toEqual(["Assign to me", "Assign to Mara"]);
    expect(found("zz")).toEqual([]);
  });
  it("prefers what stands there in one piece", () => {
    expect(found("mara")[0]).toBe("Assign to Mara");
    expect(found("note")).toEqual(["Add a note"]);
    expect(score("Close", "close") ?? 0).toBeGreaterThan(score("Call our second", "close") ?? 0);
  });
  it("looks at hints as well", () => {
    expect(rank([{ name: "Inês", hint: "Where is my parcel?" }], "parcel")).toHaveLength(1);
  });
});
