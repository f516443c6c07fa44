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
interface Widget {
  readonly id: string;
  get(key: string): any;
  /** Changes the state here and in every view. */ set(changes: Record<string, unknown>): void;
  /** "change", "change:<key>", or "message" for what views send; the result takes the listener off. */ on(event: string, listener: (value: any, buffers: Uint8Array[]) => void): () => void;
  /** A message to the views, which hear it as "msg:custom". */ send(content: unknown, buffers?: Uint8Array[]): void;
  close(): void; readonly closed: boolean;
}
interface Control<T> extends AsyncIterable<T> {
  /** What it stands at; to assign moves it in the page. */ value: T;
  readonly widget: Widget;
  /** Calls with every new value; the result takes the listener off. */ onChange(listener: (value: T) => void): () => void;
  /** Takes it out of the pages; iterations over it end. */ close(): void;
}
/** Any anywidget: state that model and views share, and the module of its views (or its render function alone). */
declare function widget(options: { state?: Record<string, unknown>; esm?: string; render?: (context: { model: any; el: any; signal: any; host: any }) => unknown; css?: string; name?: string }): Widget;
/** Shows what draw gives, and anew after every change of one of the controls. */
declare function live(draw: () => unknown, ...controls: Control<any>[]): Promise<() => void>;
/** A number between two ends, moved by hand; with log even in the logarithm. */
declare function slider(min: number, max: number, options?: { label?: string; value?: number; step?: number; log?: boolean }): Control<number>;
/** A stretch between two ends. */
declare function range(min: number, max: number, options?: { label?: string; value?: readonly [number, number]; step?: number; log?: boolean }): Control<readonly [number, number]>;
/** A number to type. */
declare function number(value?: number, options?: { label?: string; min?: number; max?: number; step?: number }): Control<number>;
/** Text to type. */
declare function text(value?: string, options?: { label?: string; placeholder?: string; rows?: number }): Control<string>;
/** A box to tick. */
declare function checkbox(label?: string, options?: { value?: boolean }): Control<boolean>;
/** A button; its value is how often it was pressed. */
declare function button(label: string, press?: () => unknown): Control<number>;
/** Several of a list of values, or of the values of an object. */
declare function select<T>(options: readonly T[] | Readonly<Record<string, T>>, settings: { label?: string; value?: T[]; multiple: true }): Control<T[]>;
/** One of a list of values, or of the values of an object. */
declare function select<const T>(options: readonly T[] | Readonly<Record<string, T>>, settings?: { label?: string; value?: NoInfer<T>; multiple?: false }): Control<T>;
/** Rows to sort and to choose from; its value is the rows that are chosen. */
declare function table<R extends object>(rows: readonly R[], options?: { label?: string; columns?: readonly string[]; choose?: "some" | "one" | "none" }): Control<R[]>;
/** Several things in one place, of which one is seen; its value is the title of that one. */
declare function tabs(pages: Readonly<Record<string, unknown>>, options?: { value?: string }): Promise<Control<string>>;
/** Runs at once and shows how it went; thalweg test counts. */
declare const test: ((name: string, body: (context: { name: string }) => unknown) => Promise<void>) & { /** Says that it is left out. */ skip(name: string, body?: (context: { name: string }) => unknown): Promise<void> };
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
