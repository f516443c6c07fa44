import { similarityHeatmap } from "../../lib/plots/similarity-heatmap.ts";

const names = ["conv 1", "conv 2", "conv 3", "dense", "head"];

export default () =>
  similarityHeatmap(
    names.map((_, i) => names.map((_, j) => Math.exp(-0.12 * (i + j)) * Math.exp(-0.5 * Math.abs(i - j)))),
    { names: names.map((name) => `${name}, task 0`), columns: names.map((name) => `${name}, task 4`) },
  );
