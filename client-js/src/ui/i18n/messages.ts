/** The words of the widget: what every language must say. `{name}` and the like are filled in by `fill`. */

export interface Messages {
  readonly openChat: string;
  readonly closeChat: string;
  readonly greeting: string;
  readonly greetingHint: string;
  readonly online: string;
  readonly away: string;
  readonly placeholder: string;
  readonly send: string;
  readonly emoji: string;
  readonly sending: string;
  readonly queued: string;
  readonly sent: string;
  readonly delivered: string;
  readonly read: string;
  readonly failed: string;
  readonly retry: string;
  readonly discard: string;
  readonly typing: string;
  readonly newMessages: string;
  readonly unreadMark: string;
  readonly edited: string;
  readonly deleted: string;
  readonly joined: string;
  readonly closed: string;
  readonly reopened: string;
  readonly rateTitle: string;
  readonly rateStars: string;
  readonly rateComment: string;
  readonly rateSend: string;
  readonly rateThanks: string;
  readonly rated: string;
  readonly newConversation: string;
  readonly conversations: string;
  readonly connecting: string;
  readonly reconnecting: string;
  readonly offline: string;
  readonly tryNow: string;
  readonly unavailable: string;
  readonly loading: string;
  readonly you: string;
  readonly team: string;
  readonly tooLong: string;
  readonly timeline: string;
}

/** Puts values into the places of a text: fill("{n} of 5", { n: 3 }). */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}
