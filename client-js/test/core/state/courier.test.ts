import { describe, expect, test } from "vitest";
import { BURST, Courier, IN_FLIGHT, INTERVAL } from "../../../src/core/state/courier.ts";
import { Outbox } from "../../../src/core/state/outbox.ts";
import { MemoryStore } from "../../../src/core/state/storage.ts";

function make(count: number): { outbox: Outbox; courier: Courier } {
  const outbox = new Outbox(new MemoryStore(), "s");
  for (let at = 0; at < count; at++) {
    outbox.add({ clientId: `${100 + at}`, conversation: "c", kind: "message", body: {}, at });
  }
  return { outbox, courier: new Courier(outbox, () => 0) };
}

const ids = (entries: readonly { clientId: string }[]): string[] => entries.map(({ clientId }) => clientId);

describe("the courier", () => {
  test("sends each once per session, in order", () => {
    const { courier } = make(3);
    expect(ids(courier.take(0))).toEqual(["100", "101", "102"]);
    expect(courier.take(0)).toEqual([]);
    courier.restart();
    expect(ids(courier.take(0))).toEqual(["100", "101", "102"]);
  });

  test("keeps so many unanswered and no more", () => {
    const { courier, outbox } = make(IN_FLIGHT + 5);
    expect(courier.take(0)).toHaveLength(IN_FLIGHT);
    expect(courier.nextTimer(0)).toBeNull();
    outbox.remove("100");
    courier.settled("100");
    expect(ids(courier.take(0))).toEqual([`${100 + IN_FLIGHT}`]);
  });

  test("what is queued in the region makes room, and goes again on the next session", () => {
    const { courier } = make(IN_FLIGHT + 1);
    courier.take(0);
    courier.queued("100");
    expect(ids(courier.take(0))).toEqual([`${100 + IN_FLIGHT}`]);
    expect(courier.take(0)).toEqual([]);
    courier.restart();
    expect(ids(courier.take(INTERVAL * 20))[0]).toBe("100");
  });

  test("stays under the server's rate", () => {
    const { courier, outbox } = make(100);
    let sent = 0;
    for (let now = 0; now <= 4000; now += 10) {
      for (const { clientId } of courier.take(now)) {
        sent += 1;
        outbox.remove(clientId);
        courier.settled(clientId);
      }
    }
    expect(sent).toBe(BURST + 4000 / INTERVAL);
    expect(sent).toBeLessThan(20 + 5 * 4);
  });

  test("after a refusal nothing goes before its time, and each refusal makes it longer", () => {
    const { courier } = make(2);
    courier.take(0);
    courier.postponed("100", 1000, 0);
    expect(courier.take(999)).toEqual([]);
    expect(courier.nextTimer(999)).toBe(1000);
    expect(ids(courier.take(1000))).toEqual(["100"]);
    courier.postponed("100", 1000, 1000);
    expect(courier.take(2999)).toEqual([]);
    expect(ids(courier.take(3000))).toEqual(["100"]);
  });

  test("what failed or was accepted does not go out", () => {
    const { courier, outbox } = make(3);
    outbox.fail("100", { code: "invalid", message: "" });
    outbox.accept("101", 1);
    expect(ids(courier.take(0))).toEqual(["102"]);
  });
});
