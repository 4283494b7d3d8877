/** The end of a closed conversation: rate it, thank you, start a new one. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Messages } from "../ui/i18n/index.ts";
import { CheckCircleIcon, PlusIcon } from "../ui/icons.tsx";
import { Stars } from "./Stars.tsx";

const MAX_COMMENT = 1_000;

interface ClosingProps {
  readonly words: Messages;
  readonly rated: boolean;
  onRate(score: number, comment: string): void;
  onNew(): void;
}

export function Closing({ words, rated, onRate, onNew }: ClosingProps): VNode {
  return (
    <div class="closing">
      {rated ? (
        <p class="thanks" data-testid="rating-thanks">
          <CheckCircleIcon /> {words.rateThanks}
        </p>
      ) : (
        <Rating words={words} onRate={onRate} />
      )}
      <button type="button" class="quiet-button" onClick={onNew} data-testid="new-conversation">
        <PlusIcon size={17} /> {words.newConversation}
      </button>
    </div>
  );
}

function Rating({ words, onRate }: Pick<ClosingProps, "words" | "onRate">): VNode {
  const [score, setScore] = useState(0);
  const [comment, setComment] = useState("");
  return (
    <form
      class="rating"
      onSubmit={(event) => {
        event.preventDefault();
        if (score > 0) onRate(score, comment.trim());
      }}
      data-testid="rating"
    >
      <p class="rating-title">{words.rateTitle}</p>
      <Stars score={score} words={words} onScore={setScore} />
      {score > 0 && (
        <>
          <textarea
            class="rating-comment"
            rows={2}
            dir="auto"
            maxLength={MAX_COMMENT}
            value={comment}
            placeholder={words.rateComment}
            aria-label={words.rateComment}
            onInput={(event) => setComment(event.currentTarget.value)}
            data-testid="rating-comment"
          />
          <button type="submit" class="strong-button" data-testid="rating-send">
            {words.rateSend}
          </button>
        </>
      )}
    </form>
  );
}
