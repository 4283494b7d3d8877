/** One key, one action, wherever nobody is typing. May import preact's hooks. */
import { useEffect } from "preact/hooks";
import { useEvent } from "../ui/hooks.ts";

export type Shortcuts = Readonly<Record<string, () => void>>;

/** `keys` by the name of the key; `Mod+k` is Ctrl, or Cmd on a Mac. Overlays keep their keys to themselves. */
export function useShortcuts(keys: Shortcuts): void {
  const press = useEvent((event: KeyboardEvent): void => {
    const action = keys[keyName(event)];
    if (action === undefined || event.defaultPrevented || document.querySelector("dialog[open]") !== null) return;
    event.preventDefault();
    action();
  });
  useEffect(() => {
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [press]);
}

function keyName(event: KeyboardEvent): string {
  if (event.isComposing) return "";
  if (event.ctrlKey || event.metaKey) return `Mod+${event.key.toLowerCase()}`;
  if (event.altKey) return "";
  const target = event.target as Element | null;
  if (target?.closest("input, textarea, select") !== null && event.key !== "Escape") return "";
  // Enter and the arrows belong to the control that has the focus, if it is not a row of the inbox.
  const control = target?.closest("button, a, [role='menu'], .tw-scroll") ?? null;
  const busy = control !== null && !control.matches(".inbox-row, .found-row");
  if (busy && (event.key === "Enter" || event.key.startsWith("Arrow"))) return "";
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}
