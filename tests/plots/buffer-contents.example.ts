import { bufferContents } from "../../lib/plots/buffer-contents.ts";

const counts = Array.from({ length: 5 }, (_, experience) => {
  const seen = 2 * (experience + 1);
  return Array.from({ length: 10 }, (_, label) =>
    label < seen ? Math.round(200 / seen + (label % 3) * (experience > 0 ? 3 : 0) - 3) : 0,
  );
});

export default () => bufferContents({ counts, capacity: 200 });
