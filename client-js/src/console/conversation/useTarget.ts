/** Loads a conversation back to the message that is to be shown. May import preact's hooks. */
import { useEffect, useState } from "preact/hooks";
import type { AgentClient, Uuid } from "../../core/api.ts";
import type { Target } from "../useDesk.ts";

/** Whether it is still being loaded. */
export function useTarget(client: AgentClient, id: Uuid, target: Target | null): boolean {
  const [seeking, setSeeking] = useState<Target | null>(null);
  const idle = client.link.phase === "idle";
  useEffect(() => {
    if (target === null || idle) return;
    setSeeking(target);
    void client.reach(id, target.seq).finally(() => setSeeking((now) => (now === target ? null : now)));
  }, [client, id, target, idle]);
  return seeking !== null && seeking === target;
}
