/** A person as a round with initials in a colour that stays theirs, and a dot that says whether they are online. */
import type { VNode } from "preact";
import type { Presence } from "../core/api.ts";
import { PersonIcon } from "./icons.tsx";
import { hue, initials } from "./people.ts";

interface AvatarProps {
  readonly id: string;
  readonly name: string;
  readonly size?: "small" | "medium" | "large";
  readonly presence?: Presence["state"] | undefined;
}

export function Avatar({ id, name, size = "medium", presence }: AvatarProps): VNode {
  const letters = initials(name);
  return (
    <span class={`tw-avatar tw-avatar-${size} tw-hue-${hue(id)}`} aria-hidden="true">
      {letters === "" ? <PersonIcon size={size === "large" ? 28 : 16} /> : letters}
      {presence !== undefined && <span class="tw-presence" data-state={presence} />}
    </span>
  );
}
