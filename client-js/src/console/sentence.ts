/** What servers say, for people. Pure; imports types only. */
import type { Refusal } from "../core/api.ts";

/** Servers speak in fragments: "the password is wrong" becomes a sentence. */
export const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`;

/** What helps, where something does. */
const HELP: { readonly [code: string]: string } = {
  at_capacity: "Close one of them first, or choose somebody else.",
};

export const refusalInWords = ({ code, message }: Refusal): string =>
  [sentence(message), HELP[code]].filter((part) => part !== undefined).join(" ");
