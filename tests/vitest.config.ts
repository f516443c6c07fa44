import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

export default defineConfig({
  root,
  resolve: { alias: [{ find: /^thalweg$/, replacement: `${root}lib/index.ts` }] },
  test: {
    include: ["tests/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
    env: { THALWEG_RUNS: "off" }, // a test that trains must train
  },
});
