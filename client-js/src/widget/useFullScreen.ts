/**
 * The widget as a sheet over the whole of a small screen: follows the visual viewport, so that a keyboard never covers the
 * composer, keeps the focus inside, and leaves the shop's page where it was.
 */
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import { useMedia } from "../ui/hooks.ts";

const SMALL = "(max-width: 520px), (max-height: 480px) and (pointer: coarse)";

export const isSmallScreen = (): boolean => matchMedia(SMALL).matches;

export const useSmallScreen = (): boolean => useMedia(SMALL);

export function useFullScreen(panel: RefObject<HTMLElement | null>, active: boolean): void {
  useEffect(() => {
    const view = window.visualViewport;
    const element = panel.current;
    if (!active || view === null || element === null) return;
    const place = window.scrollY;
    const follow = (): void => {
      element.style.setProperty("--view-height", `${view.height}px`);
      element.style.setProperty("--view-top", `${view.offsetTop}px`);
      element.toggleAttribute("data-keyboard", view.height < window.innerHeight * 0.8);
    };
    follow();
    view.addEventListener("resize", follow);
    view.addEventListener("scroll", follow);
    return () => {
      view.removeEventListener("resize", follow);
      view.removeEventListener("scroll", follow);
      // Focusing a field may have scrolled the page below the sheet.
      if (window.scrollY !== place) window.scrollTo({ top: place, behavior: "instant" });
    };
  }, [active, panel]);
}

const FOCUSABLE = "button:not(:disabled), textarea, a[href], [tabindex='0']";

/** Tab goes round inside the panel while it covers the page. */
export function keepFocus(event: KeyboardEvent, panel: HTMLElement): void {
  if (event.key !== "Tab") return;
  const stops = [...panel.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((stop) => stop.offsetParent !== null);
  const [first, last] = [stops[0], stops.at(-1)];
  const now = (panel.getRootNode() as ShadowRoot).activeElement;
  if (event.shiftKey && (now === first || now === panel)) {
    event.preventDefault();
    last?.focus();
  } else if (!event.shiftKey && now === last) {
    event.preventDefault();
    first?.focus();
  }
}
