import { describe, expect, test } from "vitest";
import { decode, encode } from "../../../src/core/wire/varint.ts";
import { fromHex, load, toHex } from "./vectors.ts";

const vectors = load<{ value: number | string; hex: string }[]>("varint.json");

describe("varint", () => {
  test.each(vectors)("$value", ({ value, hex }) => {
    const data = fromHex(hex);
    if (typeof value === "number") expect(toHex(encode(value))).toBe(hex);
    // Text in the vectors: more than JavaScript holds exactly.
    const expected = typeof value === "number" ? value : Number.POSITIVE_INFINITY;
    expect(decode(data, 0)).toEqual({ value: expected, end: data.length });
  });

  test("missing bytes are no integer yet", () => {
    for (const { hex } of vectors) expect(decode(fromHex(hex).subarray(0, -1), 0)).toBeNull();
  });

  test("what is no integer is refused", () => {
    for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => encode(value)).toThrow(RangeError);
  });
});
