/** Checks the parts of a data set against each other. */
import type { DatasetParts, Kind } from "../dataset.ts";

/** Throws, in a sentence, when a data set of these parts would give wrong numbers later. */
export function requireSoundData(parts: DatasetParts<Kind>): void {
  const { name, train, test, classes } = parts;
  if (train.length === 0) throw new RangeError(`${name}: at least one training example is required, got none`);
  if (String(train.shape) !== String(test.shape))
    throw new RangeError(
      `${name}: examples of one shape are required, got [${train.shape}] to train and [${test.shape}] to test`,
    );
  if (train.scale !== test.scale)
    throw new RangeError(
      `${name}: numbers of one scale are required, got ${train.scale} to train and ${test.scale} to test`,
    );
  if (new Set(classes).size < classes.length) {
    const twice = classes.find((own, i) => classes.indexOf(own) !== i);
    throw new RangeError(`${name}: a name for each class is required, got "${twice}" twice; give each its own`);
  }
  for (const of of [train, test])
    for (let i = 0; i < of.length; i++)
      if (of.labels[i]! < -1 || of.labels[i]! >= classes.length)
        throw new RangeError(
          `${name}: labels from 0 to ${classes.length - 1} are required, got ${of.labels[i]} at example ${i}`,
        );
  requireTargets(parts);
}

/** Throws unless the examples have what the learner is to give: targets of as many numbers as there are names, or classes. */
function requireTargets({ name, target = "class", classes, train, test }: DatasetParts<Kind>): void {
  if (target === "class") {
    if (train.labels.every((label) => label < 0))
      throw new TypeError(
        `${name}: a class for at least one training example is required, got none; say what is asked for: { target: "numbers" }`,
      );
    return;
  }
  for (const of of [train, test]) {
    if (of.targets === undefined && of.length > 0)
      throw new TypeError(`${name}: examples with targets are required for the target ${target}, got labels alone`);
    if (target !== "tokens" && of.targets !== undefined && of.targets.width !== classes.length)
      throw new RangeError(
        `${name}: a name for each of ${of.targets.width} ${target} of an example is required, got ${classes.length}`,
      );
  }
}
