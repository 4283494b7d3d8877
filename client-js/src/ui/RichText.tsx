/** Text as somebody wrote it, its links made to click. Never HTML. */

import { linkify } from "./linkify.ts";
import { memo } from "./memo.ts";

export const RichText = memo<{ readonly text: string }>(({ text }) => (
  <>
    {linkify(text).map((piece, index) =>
      piece.type === "text" ? (
        piece.text
      ) : (
        // Pieces have no other name and are drawn anew together
        <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer nofollow ugc">
          {piece.text}
        </a>
      ),
    )}
  </>
));

const ONLY_EMOJI =
  /^(?:\p{Extended_Pictographic}(?:\u200d\p{Extended_Pictographic}|[\u{1f3fb}-\u{1f3ff}]|\ufe0f)*\s*){1,3}$/u;

/** Up to three emoji and nothing else are shown large, without a bubble. */
export const isOnlyEmoji = (text: string): boolean => ONLY_EMOJI.test(text);
