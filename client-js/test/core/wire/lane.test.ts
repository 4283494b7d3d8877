import { describe, expect, test } from "vitest";
import { LaneReceiver, newCounters, type Packet, WINDOW } from "../../../src/core/wire/lane.ts";
import { LaneSender, MAX_FLOWS, SEQ_ROOM } from "../../../src/core/wire/sender.ts";

/** A small seeded generator (mulberry32), so that a failure can be run again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Flight {
  readonly due: number;
  readonly packet: Packet;
}

const frame = (flow: number, number: number): Uint8Array => Uint8Array.of(flow, number >> 8, number & 0xff);
const numberOf = (data: Uint8Array): number => ((data[1] ?? 0) << 8) | (data[2] ?? 0);

/** Sends `count` frames of several flows over a link that loses, doubles and reorders datagrams. */
function transfer(seed: number, count: number): Uint8Array[] {
  const random = seeded(seed);
  const sender = new LaneSender(1200, newCounters());
  const report = [0, 0, 0] as [number, number, number];
  const receiver = new LaneReceiver(newCounters());
  const got: Uint8Array[] = [];
  let air: Flight[] = [];
  let streamFreeAt = 0;
  for (let now = 0, sent = 0; now < 20_000 && got.length < count; now += 1) {
    if (random() < 0.01) {
      // Reports of any kind of weather: whatever the plan, everything comes once and in order.
      const lost = Math.floor(random() * 3) * 4;
      const next = [report[0] + 8, report[1] + lost, report[2] + lost / 4] as typeof report;
      if (sender.report(...next, now)) report.splice(0, 3, ...next);
    }
    if (sent < count && random() < 0.3) {
      const flow = Math.floor(random() * 3);
      sender.send(frame(flow, sent++), { flow: `${flow}`, hedge: random() < 0.9 });
    }
    for (const packet of sender.poll(now)) {
      // The stream is late and in order, and its bytes come in pieces; datagrams are early and wild.
      if (packet.via === "stream") {
        streamFreeAt = Math.max(streamFreeAt, now + 100 + (random() < 0.1 ? 300 : 0));
        for (const byte of packet.data)
          air.push({ due: streamFreeAt, packet: { via: "stream", data: Uint8Array.of(byte) } });
      } else {
        while (random() > 0.3) air.push({ due: now + 50 + random() * 80, packet });
      }
    }
    const here = air.filter(({ due }) => due <= now);
    air = air.filter(({ due }) => due > now);
    for (const { packet } of here) {
      if (packet.via === "stream") got.push(...receiver.receiveStream(packet.data));
      else got.push(...receiver.receiveDatagram(packet.data, now));
    }
  }
  return got;
}

describe("the lane over a bad network", () => {
  test.each(Array.from({ length: 20 }, (_, seed) => seed + 1))("everything once, flows in order (seed %i)", (seed) => {
    const got = transfer(seed, 120);
    expect(got.length).toBe(120);
    expect(new Set(got.map(numberOf)).size).toBe(120);
    for (const flow of [0, 1, 2]) {
      const numbers = got.filter((data) => data[0] === flow).map(numberOf);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
  });
});

describe("the sender", () => {
  test("no two copies of a frame come out of one poll, however late it is", () => {
    const sender = new LaneSender(1200, newCounters());
    sender.send(frame(0, 1), { flow: null, hedge: true });
    expect(sender.poll(1000).map(({ via }) => via)).toEqual(["datagram"]);
    expect(sender.poll(9000).map(({ via }) => via)).toEqual(["stream"]);
    for (let copy = 2; copy <= 8; copy++) {
      expect(sender.poll(copy * 10_000).map(({ via }) => via)).toEqual(["datagram"]);
    }
    expect(sender.poll(99_000)).toEqual([]);
    expect(sender.nextTimer()).toBeNull();
  });

  test("more flows than it can tell apart: a flow still keeps its order", () => {
    const sender = new LaneSender(1200, newCounters());
    const receiver = new LaneReceiver(newCounters());
    const send = (flow: number, number: number, hedge: boolean): Uint8Array => {
      sender.send(frame(flow & 0xff, number), { flow: `${flow}`, hedge });
      return sender.poll(0)[0]?.data ?? new Uint8Array();
    };
    for (let number = 1; number <= MAX_FLOWS; number++) {
      const record = send(number, number, false);
      if (number <= 100) [...receiver.receiveStream(record)];
    }
    const first = send(7, MAX_FLOWS + 1, true);
    const other = send(MAX_FLOWS + 1, MAX_FLOWS + 2, true);
    const second = send(7, MAX_FLOWS + 3, true);
    const take = (datagram: Uint8Array): number[] => [...receiver.receiveDatagram(datagram, 0)].map(numberOf);
    expect(take(other)).toEqual([MAX_FLOWS + 2]);
    expect(take(second)).toEqual([]);
    expect(take(first)).toEqual([MAX_FLOWS + 1, MAX_FLOWS + 3]);
  });

  test("an ephemeral frame that does not fit a datagram is dropped", () => {
    const sender = new LaneSender(SEQ_ROOM + 4, newCounters());
    sender.sendEphemeral(frame(0, 1));
    expect(sender.poll(0)).toEqual([]);
  });
});

describe("the receiver", () => {
  test("a datagram too far ahead is left to the stream", () => {
    const counters = newCounters();
    const receiver = new LaneReceiver(counters);
    const far = WINDOW + 1;
    expect([...receiver.receiveDatagram(Uint8Array.of(1, 0x40 | (far >> 8), far & 0xff, 0, 9), 0)]).toEqual([]);
    expect(counters.dropped).toBe(1);
  });
});
