/**
 * A WebSocket that says, when it is opened anew, how much it had received before: a closed lid loses no output, and repeats none. The
 * server keeps what was not received.
 */

import type { ServiceManagerPlugin } from "@jupyterlab/services";
import { IServerSettings, ServerConnection } from "@jupyterlab/services";

const received = new Map<string, number>();

class CountingSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    const channel = String(url);
    const count = received.get(channel) ?? 0;
    super(/session_id=/.test(channel) ? `${channel}&received=${count}` : channel, protocols);
    this.addEventListener("message", () => received.set(channel, (received.get(channel) ?? 0) + 1));
  }
}

export const serverSettingsPlugin: ServiceManagerPlugin<ServerConnection.ISettings> = {
  id: "thalweg:server-settings",
  description: "How the page reaches its server: by its cookie, never by a token that a script could read.",
  autoStart: true,
  provides: IServerSettings,
  activate: () =>
    ServerConnection.makeSettings({
      WebSocket: CountingSocket,
      token: "",
      appendToken: false,
      // The server takes nothing else from a page.
      init: { cache: "no-store", credentials: "same-origin", headers: { "Content-Type": "application/json" } },
    }),
};
