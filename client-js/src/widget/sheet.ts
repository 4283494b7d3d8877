/** The widget's one stylesheet, constructed once: a shop's CSP needs to allow no inline styles for it. */
import avatar from "../ui/avatar.css?inline";
import composer from "../ui/composer.css?inline";
import timeline from "../ui/timeline.css?inline";
import tokens from "../ui/tokens.css?inline";
import cards from "./cards.css?inline";
import panel from "./panel.css?inline";

let sheet: CSSStyleSheet | null = null;

export function widgetSheet(): CSSStyleSheet {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync([tokens, avatar, timeline, composer, panel, cards].join("\n"));
  }
  return sheet;
}
