/**
 * Tradewind's client core: everything a user interface needs, and nothing of one.
 *
 *     const chat = createVisitorClient({ server: "https://chat.example:8443", shop: "demo" });
 *     chat.subscribe(() => show(chat.conversation(chat.current)));
 *     await chat.start();
 *     chat.sendMessage(chat.current, "Hello");
 */

import type { AgentClient, AgentClientOptions, VisitorClient, VisitorClientOptions } from "./api.ts";
import { AgentChat } from "./client/agent.ts";
import { browserPlatform } from "./client/platform.ts";
import { VisitorChat } from "./client/visitor.ts";

export type * from "./api.ts";
export { SignInError } from "./client/agent.ts";

export function createVisitorClient(options: VisitorClientOptions): VisitorClient {
  return new VisitorChat(options, browserPlatform());
}

export function createAgentClient(options: AgentClientOptions): AgentClient {
  return new AgentChat(options, browserPlatform());
}
