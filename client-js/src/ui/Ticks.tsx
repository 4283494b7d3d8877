/** How far a message of mine has come: a clock, one tick, two ticks, two coloured ticks. */
import type { VNode } from "preact";
import type { SendState } from "../core/api.ts";
import type { Messages } from "./i18n/index.ts";
import { AlertIcon, ClockIcon, TickIcon, TicksIcon } from "./icons.tsx";

const ICONS = {
  sending: ClockIcon,
  queued: ClockIcon,
  sent: TickIcon,
  delivered: TicksIcon,
  read: TicksIcon,
  failed: AlertIcon,
};
/** The pictures that are denser than a tick. */
const SMALL: readonly SendState[] = ["sending", "queued", "failed"];

export function Ticks({ state, words }: { readonly state: SendState; readonly words: Messages }): VNode {
  const Icon = ICONS[state];
  return (
    <span class="tw-ticks" data-state={state} title={words[state]}>
      <Icon size={SMALL.includes(state) ? 13 : 16} />
      <span class="tw-hidden">{words[state]}</span>
    </span>
  );
}
