/** What happened in a conversation, in the words of an agent. Pure; imports types only. */
import type { Happening, PersonId } from "../../core/api.ts";

export function tell(happening: Happening, me: PersonId | null, nameOf: (person: PersonId) => string): string {
  const name = (person: PersonId): string => (person === me ? "You" : nameOf(person));
  const who = name(happening.author);
  if (happening.kind === "status") {
    return happening.status === "closed" ? `${who} closed the conversation` : `${who} opened the conversation again`;
  }
  if (happening.kind === "rating") {
    const stars = "★".repeat(happening.score ?? 0).padEnd(5, "☆");
    const comment = happening.comment ?? "";
    return `${who} rated this conversation ${stars}${comment === "" ? "" : ` “${comment}”`}`;
  }
  const assignee = happening.assignee ?? null;
  if (assignee === null) return `${who} took the assignment away`;
  if (assignee === happening.author) return `${who} took this conversation`;
  return `${who} assigned this to ${assignee === me ? "you" : nameOf(assignee)}`;
}
