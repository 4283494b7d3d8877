/** Five stars as a group of radio buttons. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { fill, type Messages } from "../ui/i18n/index.ts";
import { StarIcon } from "../ui/icons.tsx";

const SCORES = [1, 2, 3, 4, 5];

interface StarsProps {
  readonly score: number;
  readonly words: Messages;
  onScore(score: number): void;
}

export function Stars({ score, words, onScore }: StarsProps): VNode {
  const [pointed, setPointed] = useState(0);
  const shown = pointed || score;
  return (
    <fieldset class="stars" onPointerLeave={() => setPointed(0)}>
      <legend class="tw-hidden">{words.rateTitle}</legend>
      {SCORES.map((value) => (
        <label
          key={value}
          class="star"
          data-full={value <= shown}
          onPointerEnter={() => setPointed(value)}
          data-testid={`star-${value}`}
        >
          <input
            type="radio"
            class="tw-hidden"
            name="score"
            checked={value === score}
            aria-label={fill(words.rateStars, { n: value })}
            onChange={() => onScore(value)}
          />
          <StarIcon size={30} full={value <= shown} />
        </label>
      ))}
    </fieldset>
  );
}
