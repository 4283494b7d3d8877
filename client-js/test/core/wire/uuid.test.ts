import { expect, test } from "vitest";
import { fromWire, isUuid, toBytes, uuid7 } from "../../../src/core/wire/uuid.ts";

const TEXT = "0190b3a0-7c4e-7d3a-9b1e-0a1b2c3d4e5f";

test("text and bytes are the same UUID", () => {
  expect(fromWire(toBytes(TEXT))).toBe(TEXT);
  expect(fromWire(TEXT.toUpperCase())).toBe(TEXT);
  for (const wrong of [new Uint8Array(15), "x", 5, null]) expect(fromWire(wrong)).toBeNull();
  expect(() => toBytes("x")).toThrow(TypeError);
});

test("a UUIDv7 carries its time, version and variant, and sorts by time", () => {
  const id = uuid7(0x0190b3a07c4e, new Uint8Array(16).fill(0xff));
  expect(id).toBe("0190b3a0-7c4e-7fff-bfff-ffffffffffff");
  expect(isUuid(uuid7())).toBe(true);
  expect(uuid7(1000) < uuid7(1001)).toBe(true);
});
