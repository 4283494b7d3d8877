import { describe, expect, test } from "vitest";
import { decode, encode, MAX_FRAME } from "../../../src/core/wire/codec.ts";
import { CloseCode, LocalProtocolError, RemoteProtocolError } from "../../../src/core/wire/errors.ts";
import type { Frame } from "../../../src/core/wire/frames.ts";
import { type FrameVectors, frameOf, fromHex, load, toHex } from "./vectors.ts";

const vectors = load<FrameVectors>("frames.json");

function faultOf(data: Uint8Array): number {
  try {
    decode(data);
  } catch (error) {
    if (error instanceof RemoteProtocolError) return error.code;
    throw error;
  }
  throw new Error("decoded");
}

describe("golden frames", () => {
  test.each(vectors.valid)("$name", ({ frame, hex }) => {
    expect(decode(fromHex(hex))).toEqual(frameOf(frame));
    expect(toHex(encode(frameOf(frame)))).toBe(hex);
  });

  test.each(vectors.decodes)("$name", ({ frame, hex }) => {
    expect(decode(fromHex(hex))).toEqual(frameOf(frame));
  });

  test.each(vectors.invalid)("refused: $name", ({ hex, code }) => {
    expect(faultOf(fromHex(hex))).toBe(code);
  });
});

describe("limits", () => {
  const ofSize = (size: number): Frame => ({ type: "close", code: 1000, reason: "x".repeat(size) });

  test("a frame of exactly the limit passes both ways", () => {
    const data = encode(ofSize(MAX_FRAME - 8));
    expect(data.length).toBe(MAX_FRAME);
    expect(decode(data).type).toBe("close");
  });

  test("one byte more is refused both ways", () => {
    expect(() => encode(ofSize(MAX_FRAME - 7))).toThrow(LocalProtocolError);
    expect(faultOf(new Uint8Array(MAX_FRAME + 1))).toBe(CloseCode.FRAME_TOO_LARGE);
  });

  test("numbers that JavaScript cannot hold, and negative ones, are refused", () => {
    expect(faultOf(fromHex("920dcfffffffffffffffff"))).toBe(CloseCode.PROTOCOL_ERROR);
    expect(faultOf(fromHex("920dff"))).toBe(CloseCode.PROTOCOL_ERROR);
  });

  test("rubbish ends in the one error, whatever the bytes", () => {
    let seed = 7;
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 24;
    };
    for (let round = 0; round < 5000; round++) {
      const data = Uint8Array.from({ length: random() % 40 }, random);
      if (round % 2 === 0 && data.length > 1) data.set([0x90 | (random() % 9), random() % 17]);
      try {
        decode(data);
      } catch (error) {
        expect(error).toBeInstanceOf(RemoteProtocolError);
      }
    }
  });
});
