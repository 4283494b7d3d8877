/** Starts the agent console against the server that this page came from. */
import { render } from "preact";
import { createAgentClient } from "../core/index.ts";
import { App } from "./App.tsx";

const place = document.querySelector("#console");
if (place !== null) {
  const client = createAgentClient({ server: location.origin });
  render(<App client={client} server={location.origin} />, place);
}
