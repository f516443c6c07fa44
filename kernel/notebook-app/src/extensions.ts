/** Which of JupyterLab's extensions are in the page. Each brings its style. */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import application from "@jupyterlab/application-extension";
import "@jupyterlab/application-extension/style/index.js";
import apputils from "@jupyterlab/apputils-extension";
import "@jupyterlab/apputils-extension/style/index.js";
import cellToolbar from "@jupyterlab/cell-toolbar-extension";
import "@jupyterlab/cell-toolbar-extension/style/index.js";
import codemirror from "@jupyterlab/codemirror-extension";
import "@jupyterlab/codemirror-extension/style/index.js";
import completer from "@jupyterlab/completer-extension";
import "@jupyterlab/completer-extension/style/index.js";
import debugger_ from "@jupyterlab/debugger-extension";
import "@jupyterlab/debugger-extension/style/index.js";
import docmanager from "@jupyterlab/docmanager-extension";
import "@jupyterlab/docmanager-extension/style/index.js";
import documentsearch from "@jupyterlab/documentsearch-extension";
import "@jupyterlab/documentsearch-extension/style/index.js";
import filebrowser from "@jupyterlab/filebrowser-extension";
import "@jupyterlab/filebrowser-extension/style/index.js";
import fileeditor from "@jupyterlab/fileeditor-extension";
import "@jupyterlab/fileeditor-extension/style/index.js";
import imageviewer from "@jupyterlab/imageviewer-extension";
import "@jupyterlab/imageviewer-extension/style/index.js";
import launcher from "@jupyterlab/launcher-extension";
import "@jupyterlab/launcher-extension/style/index.js";
import mainmenu from "@jupyterlab/mainmenu-extension";
import "@jupyterlab/mainmenu-extension/style/index.js";
import markdownviewer from "@jupyterlab/markdownviewer-extension";
import "@jupyterlab/markdownviewer-extension/style/index.js";
import markedparser from "@jupyterlab/markedparser-extension";
import "@jupyterlab/markedparser-extension/style/index.js";
import mathjax from "@jupyterlab/mathjax-extension";
import "@jupyterlab/mathjax-extension/style/index.js";
import notebook from "@jupyterlab/notebook-extension";
import "@jupyterlab/notebook-extension/style/index.js";
import rendermime from "@jupyterlab/rendermime-extension";
import "@jupyterlab/rendermime-extension/style/index.js";
import running from "@jupyterlab/running-extension";
import "@jupyterlab/running-extension/style/index.js";
import services from "@jupyterlab/services-extension";
import shortcuts from "@jupyterlab/shortcuts-extension";
import "@jupyterlab/shortcuts-extension/style/index.js";
import statusbar from "@jupyterlab/statusbar-extension";
import "@jupyterlab/statusbar-extension/style/index.js";
import themeDark from "@jupyterlab/theme-dark-extension";
import themeLight from "@jupyterlab/theme-light-extension";
import toc from "@jupyterlab/toc-extension";
import "@jupyterlab/toc-extension/style/index.js";
import tooltip from "@jupyterlab/tooltip-extension";
import "@jupyterlab/tooltip-extension/style/index.js";
import uiComponents from "@jupyterlab/ui-components-extension";
import "@jupyterlab/ui-components-extension/style/index.js";
import json from "@jupyterlab/json-extension";
import "@jupyterlab/json-extension/style/index.js";

type Plugins = JupyterFrontEndPlugin<unknown>[];

export const extensions = [
  application,
  apputils,
  cellToolbar,
  codemirror,
  completer,
  debugger_,
  docmanager,
  documentsearch,
  filebrowser,
  fileeditor,
  imageviewer,
  launcher,
  mainmenu,
  markdownviewer,
  markedparser,
  mathjax,
  notebook,
  rendermime,
  running,
  services,
  shortcuts,
  statusbar,
  themeDark,
  themeLight,
  toc,
  tooltip,
  uiComponents,
] as unknown as Plugins[];

export const mimeExtensions = [json];
