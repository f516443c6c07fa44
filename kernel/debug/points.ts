/** Where the statements of a cell are in the script that runs, and back: what breakpoints and stacks need. */
import { type AnyNode, parse } from "acorn";
import type { Cell } from "../cell/cell.ts";
import { children } from "../cell/nodes.ts";
import { positionAt } from "../cell/source-map.ts";

/** Line and column in the script, from 0 as V8 counts; line and column in the cell, from 1. */
export type Point = [line: number, column: number, cellLine: number, cellColumn: number];

/** What the compiler puts before a statement (cell/rewrite.ts); the place is that of what follows. */
const before = /^(?:__cell\.last\(\(|[\w$]+ = (?=(?:async )?function|class))+/;
/** Imports and what else stands before the cell's own text. */
const foreign = /^(?:await __cell\.import|\(\{"|[\w$]+ = await __cell\.import|"use strict"|const __run)/;

/** The statements in the order of the script. */
export function pointsOf(cell: Cell): Point[] {
  const program = parse(cell.script, { ecmaVersion: "latest", sourceType: "script" });
  const points: Point[] = [];
  function visit(node: AnyNode): void {
    const text = cell.script.slice(node.start, node.start + 200);
    const statement = /Statement$|^VariableDeclaration$/.test(node.type) && node.type !== "BlockStatement";
    // The whole script is one expression: it is no statement of the cell.
    if (statement && node.start > 0 && !foreign.test(text)) {
      const { line, column } = positionAt(cell.script, node.start);
      const own = positionAt(cell.script, node.start + (before.exec(text)?.[0].length ?? 0));
      const place = cell.locate(own.line + 1, own.column + 1);
      points.push([line, column, place.line, place.column]);
    }
    for (const child of children(node)) visit(child);
  }
  visit(program);
  return points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** The statement of a line of the cell, or of the next line that has one. */
export function pointAt(points: readonly Point[], line: number): Point | undefined {
  const lines = points.map((point) => point[2]).filter((at) => at >= line);
  const wanted = Math.min(...lines);
  return points.find((point) => point[2] === wanted);
}

/** The place in the cell of a place in its script. */
export function placeOf(points: readonly Point[], line: number, column: number): { line: number; column: number } {
  const point = points.findLast(([l, c]) => l < line || (l === line && c <= column)) ?? points[0];
  return point ? { line: point[2], column: point[3] } : { line: 1, column: 1 };
}
