/** Says when the link is down, that nothing is lost, and offers to try at once. Short interruptions are not worth a word. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { LinkState } from "../core/api.ts";
import type { Messages } from "../ui/i18n/index.ts";

/** Interruptions shorter than this are not shown. */
const PATIENCE = 700;

interface BannerProps {
  readonly link: LinkState;
  readonly words: Messages;
  onRetry(): void;
}

const TEXTS: Partial<Record<LinkState["phase"], keyof Messages>> = {
  connecting: "connecting",
  reconnecting: "reconnecting",
  offline: "offline",
  stopped: "unavailable",
  "signed-out": "unavailable",
};

export function Banner({ link, words, onRetry }: BannerProps): VNode {
  const text = TEXTS[link.phase];
  const shown = useLasting(text !== undefined);
  const canTry = link.phase === "reconnecting" || link.phase === "signed-out" || link.phase === "stopped";
  return (
    <div class="banner-place" role="status">
      {shown && text !== undefined && (
        <div class="banner" data-phase={link.phase} data-testid="banner">
          <span class="banner-text">{words[text]}</span>
          {canTry && (
            <button type="button" onClick={onRetry} data-testid="try-now">
              {words.tryNow}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

/** True once the flag has held for a while; false at once when it ends. */
function useLasting(flag: boolean): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!flag) return;
    const timer = setTimeout(() => setLasting(true), PATIENCE);
    return () => {
      clearTimeout(timer);
      setLasting(false);
    };
  }, [flag]);
  return flag && lasting;
}
