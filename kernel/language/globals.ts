/** The types of what every cell finds: `display`, `comm`, questions, and the two symbols shared with libraries. */
export const globalsText = `
interface DisplayOptions { displayId?: string; update?: boolean; metadata?: Record<string, unknown> }
interface DisplayMethods {
  /** Shows HTML. */ html(content: string): void;
  /** Shows Markdown. */ markdown(content: string): void;
  /** Shows LaTeX mathematics. */ latex(content: string): void;
  /** Shows an SVG picture. */ svg(content: string): void;
  /** Shows a PNG picture, as bytes or base64. */ png(content: string | Uint8Array): void;
  /** Shows a JPEG picture, as bytes or base64. */ jpeg(content: string | Uint8Array): void;
  /** Shows a GIF picture, as bytes or base64. */ gif(content: string | Uint8Array): void;
  /** Shows a PDF, as bytes or base64. */ pdf(content: string | Uint8Array): void;
  /** Runs JavaScript in the frontend. */ javascript(code: string): void;
  /** Shows JSON as a tree. */ json(value: unknown): void;
  /** Shows plain text. */ text(content: unknown): void;
  /** Shows content of any MIME type, or a whole bundle. */ raw(type: string, content: unknown): void; raw(bundle: Record<string, unknown>): void;
}
interface DisplayHandle extends DisplayMethods {
  readonly id: string;
  /** Shows a value in the place of the last one. */ update(value: unknown, metadata?: Record<string, unknown>): Promise<void>;
}
/** Shows a value under the cell, in its richest form. */
declare const display: DisplayMethods & {
  (value: unknown, options?: DisplayOptions): Promise<void>;
  /** A place under the cell whose content can be replaced. */ handle(displayId?: string): DisplayHandle;
  /** Empties the output of the cell; with wait, when the next output comes. */ clear(wait?: boolean): void;
};
interface KernelComm {
  readonly id: string; readonly target: string;
  send(data: unknown, options?: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] }): void;
  close(data?: unknown): void;
  onMessage?: (data: any, buffers: Uint8Array[]) => void;
  onClose?: (data: any) => void;
}
/** Channels to code in the frontend. */
declare const comm: {
  register(name: string, target: (comm: KernelComm, data: any) => void): void;
  open(name: string, data?: unknown, options?: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] }): KernelComm;
};
/** Asks the person at the notebook and waits for the answer. */
declare function prompt(question?: string, preset?: string): string;
/** Asks for a yes or no and waits for the answer. */
declare function confirm(question?: string): boolean;
/** Shows a message and waits for Enter. */
declare function alert(message?: string): void;
declare module "tslab" {
  export const display: DisplayMethods;
  export function newDisplay(): DisplayHandle;
  export const versions: Record<string, string>;
}
`;
