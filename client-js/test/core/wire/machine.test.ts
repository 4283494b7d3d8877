import { describe, expect, test } from "vitest";
import { decode } from "../../../src/core/wire/codec.ts";
import { CloseCode, LocalProtocolError } from "../../../src/core/wire/errors.ts";
import type { Frame, Welcome } from "../../../src/core/wire/frames.ts";
import { type Closed, Machine } from "../../../src/core/wire/machine.ts";
import * as varint from "../../../src/core/wire/varint.ts";
import { counter, frameOf, fromHex, load, type Script, type Step, toHex } from "./vectors.ts";

const polled = (machine: Machine, at: number): [string, string][] =>
  machine.poll(at).map(({ via, data }) => [via, toHex(data)]);

function checkClose(machine: Machine, at: number, via: string, code: number): void {
  const packets = machine.poll(at);
  expect(packets.map((packet) => packet.via)).toEqual([via]);
  const data = packets[0]?.data ?? new Uint8Array();
  const start = via === "stream" ? (varint.decode(data, 0)?.end ?? 0) : 0;
  expect(decode(data.subarray(start))).toMatchObject({ type: "close", code });
}

function checkSend(machine: Machine, step: Extract<Step, { send: unknown }>): void {
  const act = (): void => machine.send(frameOf(step.send), step.at, step.hedge);
  if (step.error) expect(act).toThrow(LocalProtocolError);
  else for (let sent = 0; sent < (step.times ?? 1); sent++) act();
}

const brief = (closed: Closed | null): unknown => closed && [closed.code, closed.remote];

function run(machine: Machine, step: Step): void {
  if ("send" in step) checkSend(machine, step);
  else if ("receive" in step) {
    const [via, hex] = step.receive;
    expect(machine.receive(via, fromHex(hex), step.at)).toEqual(step.frames.map(frameOf));
  } else if ("poll" in step) expect(polled(machine, step.at)).toEqual(step.poll);
  else if ("poll_count" in step) expect(polled(machine, step.at).length).toBe(step.poll_count);
  else if ("poll_close" in step) checkClose(machine, step.at, ...step.poll_close);
  else if ("close" in step) machine.close(...step.close, step.at);
  else if ("lost" in step) machine.lost(step.lost);
  else if ("timer" in step) expect(machine.nextTimer()).toBe(step.timer);
  else if ("state" in step) expect(machine.state).toBe(step.state);
  else if ("closed" in step) expect(brief(machine.closed)).toEqual(step.closed);
  else if ("counters" in step) {
    for (const [name, count] of Object.entries(step.counters))
      expect(counter(machine.counters, name), name).toBe(count);
  } else throw new Error(`unknown step ${JSON.stringify(step)}`);
}

describe("golden scripts", () => {
  test.each(load<Script[]>("machine.json"))("$name", ({ role, max_datagram, steps }) => {
    const machine = new Machine(role, 0, { maxDatagram: max_datagram });
    for (const step of steps) run(machine, step);
  });
});

describe("a client and a server machine", () => {
  const WELCOME: Welcome = {
    type: "welcome",
    version: 1,
    session: "0190b3a2-0000-7000-8000-00000000000a",
    me: "v:x",
    now: 1,
    heartbeat: 1000,
    resumed: [],
    state: {},
  };

  /** Moves what one side has to say to the other; returns what came up there. */
  const carry = (from: Machine, to: Machine, now: number): Frame[] =>
    from.poll(now).flatMap(({ via, data }) => to.receive(via, data, now));

  function live(): [Machine, Machine] {
    const client = new Machine("client", 0, { maxDatagram: null });
    const server = new Machine("server", 0, { maxDatagram: null });
    client.send({ type: "hello", version: 1, token: "t", resume: [], client: "" }, 0);
    carry(client, server, 0);
    server.send(WELCOME, 0);
    carry(server, client, 0);
    return [client, server];
  }

  test("the round trip is measured from ping to pong", () => {
    const [client, server] = live();
    expect(client.rtt).toBeNull();
    client.ping(100);
    carry(client, server, 150);
    carry(server, client, 320);
    expect(client.rtt).toBe(220);
  });

  test("silence of a blackholed peer ends the session", () => {
    const [client] = live();
    for (let now = 0; now < 2500; now += 100) client.poll(now);
    expect(client.closed).toBeNull();
    client.poll(2500);
    expect(client.closed).toMatchObject({ code: CloseCode.HEARTBEAT_TIMEOUT, remote: false });
  });
});
