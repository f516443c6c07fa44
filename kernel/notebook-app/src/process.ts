/** What packages made for Node ask of `process` in a page: no environment, and a folder that relative paths begin in. */
export const process = { env: {} as Record<string, string>, platform: "browser", cwd: () => "/", argv: [] as string[] };
