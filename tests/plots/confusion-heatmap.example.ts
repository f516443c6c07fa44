import { confusion } from "../../lib/metrics/confusion.ts";
import { confusionHeatmap } from "../../lib/plots/confusion-heatmap.ts";
import { randomly } from "./runs.ts";

const classes = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"];

export default () => {
  const random = randomly(7);
  const labels = Array.from({ length: 2000 }, (_, index) => index % 10);
  const predictions = labels.map((label) =>
    random() < 0.35 + 0.06 * label ? label : random() < 0.6 ? 8 + Math.floor(random() * 2) : Math.floor(random() * 10),
  );
  return confusionHeatmap(confusion(labels, predictions, 10), { classes });
};
