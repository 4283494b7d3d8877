/** Finds commands by a few letters: "asm" finds "Assign to Mara". Pure; imports nothing. */

/** Higher is better; null when the letters do not stand in the text in this order. */
export function score(text: string, query: string): number | null {
  const [hay, needle] = [text.toLocaleLowerCase(), query.toLocaleLowerCase().replace(/\s+/g, "")];
  if (needle === "") return 0;
  const whole = hay.indexOf(query.toLocaleLowerCase().trim());
  if (whole !== -1) return 1_000 - whole - hay.length / 100;
  let [points, from] = [0, 0];
  for (const letter of needle) {
    const found = hay.indexOf(letter, from);
    if (found === -1) return null;
    const startsWord = found === 0 || hay[found - 1] === " ";
    points += startsWord ? 8 : found === from ? 4 : 1;
    from = found + letter.length;
  }
  return points - hay.length / 100;
}

/** The best first; those of equal score in the order in which they came. */
export function rank<T extends { readonly name: string; readonly hint?: string }>(
  items: readonly T[],
  query: string,
): T[] {
  return items
    .flatMap((item) => {
      const points = score(`${item.name} ${item.hint ?? ""}`.trim(), query);
      return points === null ? [] : [{ item, points }];
    })
    .sort((one, other) => other.points - one.points)
    .map(({ item }) => item);
}
