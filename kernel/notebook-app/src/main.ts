/** The page: JupyterLab's own parts, chosen, and the few of ours that connect them to Thalweg's server. */
import { type JupyterFrontEndPlugin, JupyterLab } from "@jupyterlab/application";
import { IConnectionStatus, IServiceManager } from "@jupyterlab/services";
import { PluginRegistry } from "@lumino/coreutils";
import { appViewPlugin } from "./app-view.ts";
import { askedPlugin } from "./asked.ts";
import { consoleFactoryPlugin, consoleTrackerPlugin } from "./consoles.ts";
import { executorPlugin } from "./executor.ts";
import { extensions, mimeExtensions } from "./extensions.ts";
import { plotlyRenderer } from "./plotly.ts";
import { settingsPlugin } from "./settings.ts";
import { serverSettingsPlugin } from "./socket.ts";
import { stalePlugin } from "./stale.ts";
import { statusPlugin } from "./status.ts";
import { titlePlugin } from "./title.ts";
import { translatorPlugin } from "./translator.ts";
import { widgetsPlugin } from "./widgets/plugin.ts";
import { resolverPlugin, statePlugin } from "./workspace.ts";
import "./page.css";

/** Plugins of JupyterLab that are replaced by ours, or ask a server for what this one does not have. */
const left = new Set([
  "@jupyterlab/apputils-extension:settings",
  "@jupyterlab/apputils-extension:resolver",
  "@jupyterlab/apputils-extension:state",
  "@jupyterlab/services-extension:server-settings",
  "@jupyterlab/apputils-extension:announcements",
  "@jupyterlab/apputils-extension:licenses-client",
  "@jupyterlab/apputils-extension:licenses-plugin",
  "@jupyterlab/apputils-extension:splash",
  "@jupyterlab/apputils-extension:subshell-settings",
  "@jupyterlab/application-extension:logo",
  "@jupyterlab/filebrowser-extension:share-file",
  "@jupyterlab/filebrowser-extension:open-url",
  "@jupyterlab/notebook-extension:cell-executor",
  "@jupyterlab/notebook-extension:code-console",
  "@jupyterlab/notebook-extension:export",
  "@jupyterlab/notebook-extension:language-server",
  "@jupyterlab/notebook-extension:log-output",
  "@jupyterlab/notebook-extension:update-raw-mimetype",
  "@jupyterlab/fileeditor-extension:language-server",
  "@jupyterlab/tooltip-extension:consoles",
  "@jupyterlab/debugger-extension:consoles",
  "@jupyterlab/debugger-extension:debug-console",
]);

type Plugin = JupyterFrontEndPlugin<unknown>;

async function start(): Promise<void> {
  const ours = [
    settingsPlugin,
    serverSettingsPlugin,
    translatorPlugin,
    titlePlugin,
    executorPlugin,
    resolverPlugin,
    statePlugin,
    askedPlugin,
    widgetsPlugin,
    stalePlugin,
    statusPlugin,
    appViewPlugin,
    consoleTrackerPlugin,
    consoleFactoryPlugin,
  ] as Plugin[];
  const plugins = [...extensions.flat().filter((plugin) => !left.has(plugin.id)), ...ours];
  const pluginRegistry = new PluginRegistry();
  pluginRegistry.registerPlugins(plugins as never);
  const [serviceManager, connectionStatus] = await Promise.all([
    pluginRegistry.resolveRequiredService(IServiceManager),
    pluginRegistry.resolveRequiredService(IConnectionStatus),
  ]);
  const lab = new JupyterLab({
    pluginRegistry: pluginRegistry as never,
    serviceManager,
    connectionStatus,
    mimeExtensions: [...mimeExtensions, plotlyRenderer] as never,
    availablePlugins: plugins.map(({ id }) => ({
      id,
      description: "",
      requires: [],
      optional: [],
      enabled: true,
    })) as never,
    disabled: { patterns: [], matches: [] },
    deferred: { patterns: [], matches: [] },
  });
  await lab.start({ hostID: "main", bubblingKeydown: true });
  await lab.restored;
  document.body.dataset.ready = "true";
}

start().catch((error: unknown) => {
  const text = error instanceof Error ? error.message : String(error);
  document.body.textContent = `The notebook could not be started: ${text}. Reload the page; if that does not help, start the server again.`;
  console.error(error);
});
