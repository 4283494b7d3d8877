/**
 * Names and faces for people who gave none: a colour, initials, and for unknown visitors a name that an agent can
 * remember, all derived from the id so that they stay. Imports nothing.
 */

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
export const hue = (id: string): number => hash(id) % HUES;

/** FNV-1a, mixed once more so that its upper bits serve as well as its lower ones. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (const character of text) sum = Math.imul(sum ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d) >>> 0;
}

const QUALITIES = (
  "Amber Azure Bright Calm Clever Coral Crimson Early Gentle Golden Green Hazel Indigo Ivory Jade Keen Lively Lucky " +
  "Merry Misty Olive Pearl Plum Quiet Rosy Ruby Sandy Silver Sunny Teal Violet Warm"
).split(" ");
const ANIMALS = (
  "Albatross Badger Beaver Bison Cormorant Crane Curlew Dolphin Egret Falcon Finch Fox Gannet Hare Heron Ibex Kestrel " +
  "Lark Lynx Marten Otter Owl Panda Petrel Plover Puffin Robin Seal Swan Tern Turtle Wren"
).split(" ");

/** What agents call a visitor: by name, by e-mail address, or as "Amber Otter". */
export function visitorName(visitor: { readonly id: string; readonly name: string; readonly email?: string }): string {
  if (visitor.name.trim() !== "") return visitor.name;
  if (visitor.email !== undefined && visitor.email !== "") return visitor.email;
  const sum = hash(visitor.id);
  return `${QUALITIES[sum % QUALITIES.length]} ${ANIMALS[(sum >>> 8) % ANIMALS.length]}`;
}

const letter = (word: string): string => /[\p{L}\p{N}]/u.exec(word)?.[0] ?? "";
/** Scripts without capital letters read better with one sign. */
const cased = (word: string): boolean => word.toLocaleLowerCase() !== word.toLocaleUpperCase();
