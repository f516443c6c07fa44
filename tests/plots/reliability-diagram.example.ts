import { calibration } from "../../lib/metrics/calibration.ts";
import { reliabilityDiagram } from "../../lib/plots/reliability-diagram.ts";
import { randomly } from "./runs.ts";

export default () => {
  const random = randomly(3);
  const sure = Array.from({ length: 1500 }, () => 0.5 + 0.5 * random() ** 0.4);
  const labels = sure.map((value) => (random() < value ** 1.8 ? 0 : 1));
  const data = sure.flatMap((value) => [value, 1 - value]);
  return reliabilityDiagram(calibration({ data, rows: sure.length, columns: 2 }, labels));
};
