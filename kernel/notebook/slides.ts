/** A notebook as slides: what its cells' `slideshow` metadata say, or else a slide for each heading of the first two levels. */
import type { NotebookCell } from "./nbformat.ts";

type Kind = "slide" | "subslide" | "fragment" | "skip" | "notes" | "-";

/** @returns undefined where the cell does not say. */
const said = (cell: NotebookCell): Kind | undefined =>
  (cell.metadata.slideshow as { slide_type?: Kind } | undefined)?.slide_type;

export interface Part {
  cell: NotebookCell;
  /** Comes in when the reader goes on. */
  fragment: boolean;
}

/** The slides, each with its cells; cells that are left out or notes are in none. */
export function slidesOf(cells: readonly NotebookCell[]): Part[][] {
  const told = cells.some((cell) => said(cell) !== undefined);
  const slides: Part[][] = [];
  for (const cell of cells) {
    if (cell.source.trim() === "") continue;
    const heading = cell.cell_type === "markdown" && /^#{1,2}\s/.test(cell.source.trim());
    const kind = told ? (said(cell) ?? "-") : heading ? "slide" : "-";
    if (kind === "skip" || kind === "notes") continue;
    if (kind === "slide" || kind === "subslide" || slides.length === 0) slides.push([]);
    slides.at(-1)!.push({ cell, fragment: kind === "fragment" });
  }
  return slides;
}

export const slideStyle = `
main { max-width:none; padding:0 } .slide { display:none; min-height:100vh; padding:4vh 7vw 8vh; max-width:1180px; margin:0 auto; font-size:1.15rem }
.slide.here { display:block } .fragment { visibility:hidden } .fragment.seen { visibility:visible } .slide > :first-child { margin-top:0 }
.place { position:fixed; right:1rem; bottom:.6rem; color:var(--soft); font-size:.8rem } .bar { position:fixed; left:0; bottom:0; height:3px; background:var(--accent) }
@media (max-width:800px) { .slide { padding:1.5rem 1rem 4rem; font-size:1rem } }
@media print { .slide { display:block; min-height:0; break-after:page } .fragment { visibility:visible } .place, .bar { display:none } }
`;

/** Runs in the page: arrow keys, space, a swipe or a click beside the text go on and back; the address says where. */
export function deck(): void {
  const page = globalThis as unknown as {
    document: Doc;
    location: { hash: string };
    addEventListener(event: string, listener: (event: KeyEvent) => void): void;
  };
  const slides = [...page.document.querySelectorAll(".slide")];
  const place = page.document.querySelector(".place")!;
  const bar = page.document.querySelector(".bar")!;
  let at = 0;
  const fragments = () => [...slides[at]!.querySelectorAll(".fragment")];
  const show = (next: number): void => {
    at = Math.max(0, Math.min(slides.length - 1, next));
    for (const [i, slide] of slides.entries()) slide.classList.toggle("here", i === at);
    place.textContent = `${at + 1} / ${slides.length}`;
    bar.style.width = `${(100 * (at + 1)) / slides.length}%`;
    page.location.hash = String(at + 1);
  };
  const go = (step: number): void => {
    const all = fragments();
    const seen = all.filter((one) => one.classList.contains("seen")).length;
    if (step > 0 && seen < all.length) all[seen]!.classList.add("seen");
    else if (step < 0 && seen > 0) all[seen - 1]!.classList.remove("seen");
    else show(at + step);
  };
  page.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    if (step !== undefined) go(step);
    else if (event.key === "Home") show(0);
    else if (event.key === "End") show(slides.length - 1);
    else return;
    event.preventDefault();
  });
  let from = 0;
  page.addEventListener("touchstart", (event) => void (from = event.touches?.[0]?.clientX ?? 0));
  page.addEventListener("touchend", (event) => {
    const moved = (event.changedTouches?.[0]?.clientX ?? from) - from;
    if (Math.abs(moved) > 60) go(moved < 0 ? 1 : -1);
  });
  show(Number(page.location.hash.slice(1)) - 1 || 0);
}

/** The little of the DOM that `deck` needs. */
interface Element {
  textContent: string;
  style: { width: string };
  classList: {
    toggle(name: string, on: boolean): void;
    add(name: string): void;
    remove(name: string): void;
    contains(name: string): boolean;
  };
  querySelectorAll(selector: string): Iterable<Element>;
}
interface Doc {
  querySelector(selector: string): Element | null;
  querySelectorAll(selector: string): Iterable<Element>;
}
interface KeyEvent {
  key: string;
  touches?: { clientX: number }[];
  changedTouches?: { clientX: number }[];
  preventDefault(): void;
}
