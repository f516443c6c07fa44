/** The status bar says where the notebook computes, how much memory its process holds, and how far a run is. */
import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";
import { KernelMessage } from "@jupyterlab/services";
import { IStatusBar } from "@jupyterlab/statusbar";
import { Widget } from "@lumino/widgets";

const everyMs = 2000;

interface Usage {
  kernel_memory?: number | null;
  device?: string;
  progress?: { share: number; text: string } | null;
}

async function ask(panel: NotebookPanel): Promise<Usage | undefined> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel || !/^(idle|busy)$/.test(kernel.status)) return undefined;
  const message = KernelMessage.createMessage({
    channel: "control",
    msgType: "usage_request" as "debug_request",
    session: kernel.clientId,
    username: kernel.username,
    content: {} as never,
  });
  return (await kernel.sendControlMessage(message, true, true).done).content as Usage;
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: "thalweg:status",
  description: "Device, memory and progress in the status bar.",
  autoStart: true,
  requires: [INotebookTracker, IStatusBar],
  activate: (_, tracker: INotebookTracker, bar: IStatusBar) => {
    const item = new Widget();
    item.addClass("thalweg-status");
    const meter = document.createElement("progress");
    const text = document.createElement("span");
    item.node.append(meter, text);
    bar.registerStatusItem("thalweg:status", {
      item,
      align: "right",
      rank: 50,
      isActive: () => tracker.currentWidget !== null,
    });
    const draw = (usage: Usage | undefined): void => {
      const { kernel_memory: memory, device, progress } = usage ?? {};
      meter.hidden = !progress;
      if (progress) meter.value = progress.share;
      const parts = [progress ? `${Math.round(100 * progress.share)} %` : "", device ?? "", memory ? size(memory) : ""];
      text.textContent = parts.filter((part) => part !== "").join(" · ");
      item.node.title = progress?.text ?? "Where this notebook computes, and the memory that its process holds";
    };
    let asking = false;
    const turn = async (): Promise<void> => {
      if (asking || document.hidden || !tracker.currentWidget) return;
      asking = true;
      draw(await ask(tracker.currentWidget).catch(() => undefined));
      asking = false;
    };
    setInterval(() => void turn(), everyMs);
    tracker.currentChanged.connect(() => void turn());
  },
};
