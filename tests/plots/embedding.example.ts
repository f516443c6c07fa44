import { embedding } from "../../lib/plots/embedding.ts";
import { randomly } from "./runs.ts";

export default () => {
  const random = randomly(13);
  const normal = () => random() + random() + random() + random() - 2;
  const rows = 200;
  const labels = Array.from({ length: rows }, (_, row) => row % 5);
  const data = labels.flatMap((label) =>
    Array.from({ length: 10 }, (_, column) => 2.2 * Math.cos(label * (column + 1.3)) + normal()),
  );
  return embedding({ data, rows, columns: 10 }, labels);
};
