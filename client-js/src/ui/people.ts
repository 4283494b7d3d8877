/** Faces for people without pictures: initials and a colour that stays theirs. Imports nothing. */

/** How many avatar colours the stylesheet has (`.tw-hue-0` and so on). */
export const HUES = 10;

/** "Mara Lindqvist" gives ML, "陈伟" gives 陈, "mara@shop.example" gives M. */
export function initials(name: string): string {
  const words = name
    .replace(/@.*$/, "")
    .split(/[\s._-]+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));
  const [first, last] = [words[0], words.length > 1 ? words.at(-1) : undefined];
  if (first === undefined) return "";
  return (letter(first) + (last === undefined || !cased(first) ? "" : letter(last))).toLocaleUpperCase();
}

/** The same person has the same colour on every page and every day. */
export function hue(id: string): number {
  let sum = 7;
  for (const character of id) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return sum % HUES;
}

const letter = (word: string): string => /[\p{L}\p{N}]/u.exec(word)?.[0] ?? "";
/** Scripts without capital letters read better with one sign. */
const cased = (word: string): boolean => word.toLocaleLowerCase() !== word.toLocaleUpperCase();
