/** Which way a visitor is connected by, right now. */
import type { VNode } from "preact";
import type { Presence } from "../../core/api.ts";
import { BoltIcon } from "../../ui/icons.tsx";
import { transportMeaning, transportName } from "../transports.ts";

export function TransportChip({ presence }: { readonly presence: Presence }): VNode {
  const { state, transport } = presence;
  if (state === "offline" || transport === null) {
    return (
      <span class="chip" data-testid="transport-chip" data-transport="">
        Offline
      </span>
    );
  }
  return (
    <span class="chip" title={transportMeaning(transport)} data-testid="transport-chip" data-transport={transport}>
      <BoltIcon size={13} />
      {transportName(transport)}
    </span>
  );
}
