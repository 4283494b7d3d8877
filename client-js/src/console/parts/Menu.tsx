/** A button with a menu: arrows move, Enter takes, Esc and a click elsewhere close, and the focus comes back. */
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useEvent, useOutside } from "../../ui/hooks.ts";

interface MenuProps {
  readonly label: string;
  readonly open: boolean;
  readonly button: ComponentChildren;
  readonly className: string;
  readonly place?: "below" | "above";
  readonly testid: string;
  readonly children: ComponentChildren;
  onOpen(open: boolean): void;
}

const ITEMS = "[role^='menuitem']:not(:disabled)";

export function Menu(props: MenuProps): VNode {
  const { open, onOpen } = props;
  const whole = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  useOutside(whole, open, () => onOpen(false));
  const wasOpen = useRef(false);
  useLayoutEffect(() => {
    // A menu that went with the focus inside gives it back to its button.
    if (!open && wasOpen.current && document.activeElement === document.body) opener.current?.focus();
    wasOpen.current = open;
    if (open) list.current?.querySelector<HTMLElement>(`[aria-checked='true'], ${ITEMS}`)?.focus();
  }, [open]);

  const press = useEvent((event: KeyboardEvent): void => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>(ITEMS) ?? [])];
    const now = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") onOpen(false);
    else if (event.key === "ArrowDown") items[(now + 1) % items.length]?.focus();
    else if (event.key === "ArrowUp") items.at(now - 1)?.focus();
    else return;
    if (event.key === "Escape") opener.current?.focus();
    event.preventDefault();
    event.stopPropagation();
  });

  return (
    <div class="menu" ref={whole}>
      <button
        ref={opener}
        type="button"
        class={props.className}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={props.label}
        title={props.label}
        onClick={() => onOpen(!open)}
        data-testid={props.testid}
      >
        {props.button}
      </button>
      {open && (
        <div
          class="menu-list"
          data-place={props.place ?? "below"}
          role="menu"
          aria-label={props.label}
          tabIndex={-1}
          ref={list}
          onKeyDown={press}
        >
          {props.children}
        </div>
      )}
    </div>
  );
}

const CHOICE = {
  on: { role: "menuitemradio", "aria-checked": true },
  off: { role: "menuitemradio", "aria-checked": false },
} as const;

interface MenuItemProps {
  readonly checked?: boolean;
  readonly testid?: string;
  readonly children: ComponentChildren;
  onPick(): void;
}

export function MenuItem({ checked, testid, children, onPick }: MenuItemProps): VNode {
  const choice = checked === undefined ? { role: "menuitem" as const } : CHOICE[checked ? "on" : "off"];
  return (
    <button type="button" class="menu-item" {...choice} tabIndex={-1} onClick={onPick} data-testid={testid}>
      {children}
    </button>
  );
}
