import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

/** Folders whose tests share a process, file after file, so that the library is loaded once in each: those that only call it. */
const shared =
  "data,dsl,edit,expand,merge,metrics,models,optim,prune,quantise,simulate,strategies,streams,sweeps,train";
/** In folders where some do more: those that start processes, replace modules, load TensorFlow.js or look at the kernel run alone. */
const alone = {
  plots: "plotly",
  regression: "checkpoint-*|converted-*|import-*|install-*|markup-*|save-*",
  runs: "crash|disk|record|store|trackers|trained-*",
};
const sharing = [
  `tests/{${shared}}/**/*.test.ts`,
  ...Object.entries(alone).map(([folder, names]) => `tests/${folder}/!(${names}).test.ts`),
];

export default defineConfig({
  root,
  resolve: { alias: [{ find: /^thalweg$/, replacement: `${root}lib/index.ts` }] },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
    experimental: { fsModuleCache: !process.env.CI }, // one test starts in a third of the time when nothing else changed
    retry: process.env.CI ? 1 : 0, // browsers and processes on a machine that others use; what fails twice is broken
    env: { THALWEG_RUNS: "off" }, // a test that trains must train
    projects: [
      { extends: true, test: { name: "library", include: sharing, isolate: false } },
      { extends: true, test: { name: "alone", include: ["tests/**/*.test.ts"], exclude: sharing } },
    ],
  },
});
