import { describe, expect, it } from "vitest";
import { clock, dayLabel, sameDay, shortTime } from "../../src/ui/time.ts";

const at = (year: number, month: number, day: number, hour = 12, minute = 0): number =>
  new Date(year, month - 1, day, hour, minute).getTime();
const NOW = at(2026, 11, 23, 14, 5); // a Monday

describe("short times", () => {
  it.each([
    [NOW - 5_000, "now"],
    [NOW + 5_000, "now"],
    [NOW - 5 * 60_000, "5m"],
    [at(2026, 11, 23, 9, 30), "9:30 AM"],
    [at(2026, 11, 22), "Sun"],
    [at(2026, 3, 3), "Mar 3"],
    [at(2024, 3, 3), "Mar 3, 2024"],
  ])("%i is %s", (time, expected) => expect(shortTime(time, NOW, "en")).toBe(expected));
});

describe("days", () => {
  it.each([
    [NOW, "Today"],
    [at(2026, 11, 22, 23, 59), "Yesterday"],
    [at(2026, 11, 20), "Friday"],
    [at(2026, 3, 3), "Tuesday, March 3"],
    [at(2024, 3, 3), "Mar 3, 2024"],
  ])("%i is %s", (time, expected) => expect(dayLabel(time, NOW, "en")).toBe(expected));

  it("speaks the reader's language", () => {
    expect(dayLabel(NOW, NOW, "de")).toBe("Heute");
    expect(dayLabel(NOW, NOW, "ja")).toBe("今日");
    expect(clock(NOW, "de")).toBe("14:05");
  });

  it("counts calendar days", () => {
    expect(sameDay(at(2026, 11, 23, 0, 0), at(2026, 11, 23, 23, 59))).toBe(true);
    expect(sameDay(at(2026, 11, 22, 23, 59), at(2026, 11, 23, 0, 0))).toBe(false);
  });
});
