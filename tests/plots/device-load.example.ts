import { deviceLoad } from "../../lib/plots/device-load.ts";

export default () =>
  deviceLoad(
    Array.from({ length: 31 }, (_, i) => ({
      seconds: i,
      name: "NVIDIA H200",
      busy: i < 4 ? 0.02 : 0.6 + 0.25 * Math.sin(i / 3),
      usedBytes: (i < 4 ? 1 : Math.min(4 + i, 18)) * 2 ** 30,
      memoryBytes: 140 * 2 ** 30,
    })),
  );
