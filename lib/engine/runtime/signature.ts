/** What a call's arguments look like: the shape of their trees, with tensors by type and everything else by value. */
import * as tf from "@tensorflow/tfjs-core";
import { Rng } from "../random.ts";
import { isLeaf } from "../tree.ts";

export type Pattern =
  | { readonly kind: "tensor"; readonly dtype: tf.DataType; readonly shape: readonly number[] }
  | { readonly kind: "noise" }
  | { readonly kind: "array"; readonly items: readonly Pattern[] }
  | { readonly kind: "object"; readonly keys: readonly string[]; readonly items: readonly Pattern[] }
  | { readonly kind: "value"; readonly value: unknown };

/** The tensors and noise sources of a call, in order of appearance. */
export interface Found {
  readonly tensors: tf.Tensor[];
  readonly noise: Rng[];
}

export function patternOf(node: unknown): Pattern {
  if (node instanceof tf.Tensor) return { kind: "tensor", dtype: node.dtype, shape: node.shape };
  if (node instanceof Rng) return { kind: "noise" };
  if (isLeaf(node)) return { kind: "value", value: node };
  if (Array.isArray(node)) return { kind: "array", items: node.map(patternOf) };
  const keys = Object.keys(node as object);
  return { kind: "object", keys, items: keys.map((key) => patternOf((node as Record<string, unknown>)[key])) };
}

/** Whether a value has the pattern; collects what it finds on the way. */
export function matches(pattern: Pattern, node: unknown, found: Found): boolean {
  switch (pattern.kind) {
    case "tensor": {
      if (!(node instanceof tf.Tensor) || node.dtype !== pattern.dtype) return false;
      const { shape } = node;
      if (shape.length !== pattern.shape.length) return false;
      for (let i = 0; i < shape.length; i++) if (shape[i] !== pattern.shape[i]) return false;
      found.tensors.push(node);
      return true;
    }
    case "noise":
      if (!(node instanceof Rng)) return false;
      found.noise.push(node);
      return true;
    case "array": {
      if (!Array.isArray(node) || node.length !== pattern.items.length) return false;
      for (let i = 0; i < node.length; i++) if (!matches(pattern.items[i]!, node[i], found)) return false;
      return true;
    }
    case "object": {
      if (isLeaf(node) || Array.isArray(node)) return false;
      let at = 0;
      for (const key in node as object) {
        if (key !== pattern.keys[at]) return false;
        if (!matches(pattern.items[at]!, (node as Record<string, unknown>)[key], found)) return false;
        at++;
      }
      return at === pattern.keys.length;
    }
    case "value":
      return Object.is(node, pattern.value);
  }
}

/** Rebuilds the value with other tensors and noise sources, in order of appearance. */
export function rebuild(pattern: Pattern, tensors: Iterator<tf.Tensor>, noise: Iterator<Rng>): unknown {
  switch (pattern.kind) {
    case "tensor":
      return tensors.next().value;
    case "noise":
      return noise.next().value;
    case "array":
      return pattern.items.map((item) => rebuild(item, tensors, noise));
    case "object": {
      const out: Record<string, unknown> = {};
      pattern.keys.forEach((key, i) => {
        out[key] = rebuild(pattern.items[i]!, tensors, noise);
      });
      return out;
    }
    case "value":
      return pattern.value;
  }
}
