/**
 * Finds links and e-mail addresses in what people wrote, so that they can be shown as links. Only `https:`, `http:` and
 * `mailto:` ever come out; everything else stays text. Imports nothing.
 */

export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "link"; readonly text: string; readonly href: string };

const CANDIDATE = /(https?:\/\/[^\s<>"]+|www\.[^\s<>"]+\.[^\s<>"]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)/gi;
/** Punctuation that ends a sentence, not an address, in the scripts people write to us. */
const TRAILING = /[.,;:!?'"»”’。，！？、؟،]+$/;
const PAIRS: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };

export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(CANDIDATE)) {
    const found = trim(match[0]);
    const href = address(found);
    if (href === null) continue;
    if (match.index > end) pieces.push({ type: "text", text: text.slice(end, match.index) });
    pieces.push({ type: "link", text: found, href });
    end = match.index + found.length;
  }
  if (end < text.length) pieces.push({ type: "text", text: text.slice(end) });
  return pieces;
}

function address(found: string): string | null {
  if (/^https?:/i.test(found)) return safe(found);
  if (/^www\./i.test(found)) return safe(`https://${found}`);
  return `mailto:${found}`;
}

function safe(href: string): string | null {
  try {
    const url = new URL(href);
    // A name before the host ("https://bank.example@evil.example") is only ever used to mislead.
    if (url.username !== "" || url.password !== "") return null;
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/** Takes off what belongs to the sentence around a link: full stops, and a bracket that was opened before it. */
function trim(found: string): string {
  let link = found;
  for (;;) {
    const shorter = unbracket(link.replace(TRAILING, ""));
    if (shorter === link) return link;
    link = shorter;
  }
}

function unbracket(link: string): string {
  const close = link.at(-1) ?? "";
  const open = PAIRS[close];
  if (open === undefined) return link;
  return link.split(close).length > link.split(open).length ? link.slice(0, -1) : link;
}
