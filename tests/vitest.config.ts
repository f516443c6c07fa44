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
    experimental: { fsModuleCache: !process.env.CI }, // one test starts in a third of the time when nothing else changed
    retry: process.env.CI ? 1 : 0, // browsers and processes on a machine that others use; what fails twice is broken
    env: { THALWEG_RUNS: "off" }, // a test that trains must train
  },
});
