/** Stream sources as functions that give fluent streams. */
// Written by `npm run gen`.
import * as sources from "../streams/sources/index.ts";
import { fluentSource } from "./stream.ts";

/**
 * Loan applications of nine attributes, with ten rules for who is in group A: ten concepts, with 10 % of the training labels wrong. In a
 * batch every attribute is divided by the largest value it can have.
 *
 * R. Agrawal, T. Imielinski, A. Swami, Database mining: a performance perspective, IEEE Transactions on Knowledge and Data Engineering 1993,
 * section VI. Differs from the paper: labels are flipped instead of attributes moved.
 *
 * @example
 * ```ts
 * import { agrawal } from "thalweg";
 * agrawal({ concepts: [0, 4, 9], examples: 100 }).length; // 3
 * ```
 */
export const agrawal = fluentSource(sources.agrawal);

/**
 * A stream of one experience that holds all of a data set: all its classes, or whatever else it asks for.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const stream = operators.split(5)(classes(digits()));
 * stream.length; // 5
 * ```
 */
export const classes = fluentSource(sources.classes);

/**
 * A federated stream: in each round new classes come, and the training examples of each are divided over the clients by shares from a
 * Dirichlet distribution. An experience is one client in one round (`experience.client`), a task is a round. Every example goes to one
 * client; a client who would get nothing in a round gets one example.
 *
 * Shares per class: M. Yurochkin et al., arXiv:1905.12022, section 5. Growing classes: S. Hendryx et al., Federated reconnaissance,
 * arXiv:2109.00150.
 *
 * @example
 * ```ts
 * import { clients, digits } from "thalweg";
 * clients(digits(), { clients: 3, classesPerRound: 5 }).length; // 6
 * ```
 */
export const clients = fluentSource(sources.clients);

/**
 * A stream of one task per data set, in the order given, of unlike shapes and classes: images are resized to one shape, vectors filled up
 * with 0, and every data set's classes get columns of their own, named "data set: class". A chronological list with a budget of examples
 * for each is the shape of NEVIS'22 (J. Bornschein et al., arXiv:2211.11747).
 *
 * @example
 * ```ts
 * import { blobs, datasets } from "thalweg";
 * datasets([blobs({ classes: 2 }), blobs({ classes: 3, dimensions: 5 })]).classes.length; // 5
 * ```
 */
export const datasets = fluentSource(sources.datasets);

/**
 * A stream of one task per data set, all with the same classes and the same shape: the domains in which they are seen. Labels are those of
 * the data sets, whose classes may have other names, but not the same names in another order, or other numbers.
 *
 * @example
 * ```ts
 * import { blobs, domains } from "thalweg";
 * domains([blobs({ seed: 1 }), blobs({ seed: 2 })]).length; // 2
 * ```
 */
export const domains = fluentSource(sources.domains);

/**
 * A table of facts (subject, relation → object), and `n` edits of it. The first experience holds all facts; each later one gives `batch`
 * facts, no two edits the same, a new object. An example is two tokens: the subject, and the relation numbered after all subjects; with several
 * `phrases` those of a relation follow one another. All facts are learnt in every phrase; an edit gives the first one only.
 *
 * Task 0 is tested on the facts that are never edited, in every phrase: whether the rest stays known (locality). Each edit is a task tested on its
 * own facts, with their new objects (efficacy). With several phrases task `n + i` is edit `i` asked for in the other ones (generality).
 *
 * @example
 * ```ts
 * import { edits } from "thalweg";
 * edits(10).experience(3).train.length; // 1
 * ```
 */
export const edits = fluentSource(sources.edits);

/**
 * A stream of few-shot episodes: `ways` classes drawn at random, `shots` training examples and `queries` test examples of each. The label of
 * a class is its place in the episode, from 0 to `ways − 1`: the learner must learn to learn. Each episode is a task.
 *
 * O. Vinyals et al., Matching networks for one shot learning, arXiv:1606.04080.
 *
 * @example
 * ```ts
 * import { digits, episodes } from "thalweg";
 * episodes(digits(), { ways: 3, shots: 2 }).experience(1000).train.length; // 6
 * ```
 */
export const episodes = fluentSource(sources.episodes);

/**
 * A stream of `depth` levels of labels: first coarse groups of classes, then finer ones, at last the classes themselves. The groups of
 * every level have columns of their own, coarse ones first; a level is a task, tested on all test examples with its labels.
 *
 * B. Lee et al., Online continual learning on hierarchical label expansion, arXiv:2308.14374, section 3.
 *
 * @example
 * ```ts
 * import { digits, hierarchy } from "thalweg";
 * [...hierarchy(digits(), 3)].map((e) => e.classes.length); // [3, 5, 10]
 * ```
 */
export const hierarchy = fluentSource(sources.hierarchy);

/**
 * A rotating hyperplane: numbers from 0 to 1, of which the class is whether `Σ w·x ≥ ½ Σ w`, where some of the weights drift. Each experience
 * is a task with a plane of its own, close to that of its neighbours.
 *
 * G. Hulten, L. Spencer, P. Domingos, Mining time-changing data streams, KDD 2001, section 4. Differs from the paper: weights change
 * between experiences, not between examples.
 *
 * @example
 * ```ts
 * import { hyperplane } from "thalweg";
 * hyperplane({ examples: 50 }).experience(99).train.length; // 50
 * ```
 */
export const hyperplane = fluentSource(sources.hyperplane);

/**
 * A stream of `n` sessions: every class is there each time, with its own share of the training images, under one angle and one light for
 * all images of the session. Each training image is in one session; the test images of a session are all, under its conditions.
 *
 * After the new-instances scenario of CORe50 (V. Lomonaco and D. Maltoni, arXiv:1705.03550), with conditions made, not filmed.
 *
 * @example
 * ```ts
 * import { digits, instances } from "thalweg";
 * instances(digits(), 8).experience(2).classes.length; // 10
 * ```
 */
export const instances = fluentSource(sources.instances);

/**
 * A stream of `n` tasks over all examples, each with its own random permutation of the labels; `Infinity` for a stream that never ends.
 * Nothing can be kept from one task to the next but the features: a test of plasticity (C. Lyle et al., arXiv:2303.01486).
 *
 * @example
 * ```ts
 * import { digits, labelPermuted } from "thalweg";
 * labelPermuted(digits(), 5).length; // 5
 * ```
 */
export const labelPermuted = fluentSource(sources.labelPermuted);

/**
 * A stream of `n` chunks of one data set, each drawn at random from all classes: nothing drifts, the question is what to do with data that
 * arrives late. Each example is in one chunk; evaluated is one task, all classes.
 *
 * L. Caccia et al., On anytime learning at macroscale, arXiv:2106.09563, section 3.
 *
 * @example
 * ```ts
 * import { digits, megabatches } from "thalweg";
 * megabatches(digits(), 4).experience(0).train.length; // 359
 * ```
 */
export const megabatches = fluentSource(sources.megabatches);

/**
 * A stream of `n` tasks over all classes, each with its own fixed random permutation of the numbers of an example; `Infinity` for a
 * stream that never ends. Labels are those of the data set in every task.
 *
 * I. Goodfellow et al., An empirical investigation of catastrophic forgetting, arXiv:1312.6211; J. Kirkpatrick et al. 2017.
 *
 * @example
 * ```ts
 * import { digits, permuted } from "thalweg";
 * permuted(digits(), 10).length; // 10
 * ```
 */
export const permuted = fluentSource(sources.permuted);

/**
 * An endless stream of small rendered pictures of shapes, whose factors follow courses over time: `{ from, to, over, course }` goes from one
 * value to another in `over` experiences once, swings there and back, or is drawn anew for each experience. Where an object is in the
 * picture, and small differences of size and angle, are drawn for every example. Each experience is a task under its own factors.
 *
 * After T. Hess et al., A procedural world generation framework for systematic evaluation of continual learning, arXiv:2106.02585, in two
 * dimensions.
 *
 * Implements: P176 Procedural world generator
 *
 * @example
 * ```ts
 * import { procedural } from "thalweg";
 * const night = procedural({ light: { from: 1, to: 0.3, over: 10 } });
 * night.experience(10_000).train.shape; // [16, 16, 1]
 * ```
 */
export const procedural = fluentSource(sources.procedural);

/**
 * Slowly-changing regression: the target is the output of a fixed random network with one hidden layer of threshold units and weights ±1;
 * the inputs are bits, some of which stay the same through an experience, and one of these flips before the next. A learner that keeps its
 * plasticity keeps its error. Each experience is a task; targets are one number ("numbers").
 *
 * The paper flips one bit at a time, as is the default. The authors' program draws all slow bits anew unless it is told otherwise
 * (`flips: "all"`), and their published errors are reached in that way alone.
 *
 * S. Dohare et al., Loss of plasticity in deep continual learning, Nature 2024, arXiv:2306.13812, section 3; the thresholds are
 * `threshold · (inputs + 1) − (inputs − Σ weights + bias) / 2`, as in the authors' program.
 *
 * @example
 * ```ts
 * import { regression } from "thalweg";
 * regression({ examples: 100 }).experience(3).train.targets?.width; // 1
 * ```
 */
export const regression = fluentSource(sources.regression);

/**
 * A stream without boundaries in which classes come back and their looks drift: the classes 0 and 1 mixed, then 1 and 2, and so on around
 * to the first again, `rounds` times over. The images of each class are cut into `2 · rounds` parts, one for each pair it is in, and are
 * turned from image to image until, at the end, they have gone through 360°; class c begins at (c − 1) · 60°. Each pair is an experience,
 * in which the two classes come in turns; it ends when one of its parts is used up. There is one task: its test images are turned likewise
 * through a full circle from 0°. Train it with `shuffle: false`, so that images come in their order.
 *
 * MNIST-360 of P. Buzzega et al., Dark experience for general continual learning, NeurIPS 2020, arXiv:2004.07211, section 4.2, as in
 * its code, where images may come again within a part (`replace: true`) and pixels are the nearest ones (`interpolation: "nearest"`).
 *
 * @example
 * ```ts
 * import { digits, revolving } from "thalweg";
 * revolving(digits()).length; // 27
 * ```
 */
export const revolving = fluentSource(sources.revolving);

/**
 * A stream of one task per angle, in degrees counter-clockwise. Labels are those of the data set in every task.
 *
 * Angles are a list, or drawn uniformly: `{ tasks: 20, between: [0, 180] }` is the Rotated MNIST of Lopez-Paz and Ranzato 2017
 * (arXiv:1706.08840). Pixels are turned about the middle of the image by bilinear interpolation of the raw values, or become the nearest
 * one (`{ interpolation: "nearest" }` as the third argument); outside the image is 0; bytes are rounded to the nearest. Multiples of 90° of a square image are exact.
 *
 * @example
 * ```ts
 * import { digits, rotated } from "thalweg";
 * rotated(digits(), [0, 45, 90]).length; // 3
 * ```
 */
export const rotated = fluentSource(sources.rotated);

/**
 * Three numbers from 0 to 10, of which the class is whether the first two add up to at most 8, 9, 7 or 9.5: four concepts, with 10 % of the
 * training labels wrong. In a batch the numbers are 0 to 1. Options as for every drift: `concepts: [0, 1, 0, 1]` recurs.
 *
 * W. Street and Y. Kim, A streaming ensemble algorithm (SEA) for large-scale classification, KDD 2001, section 4.
 *
 * @example
 * ```ts
 * import { sea } from "thalweg";
 * sea({ concepts: [0, 1, 0], examples: 200 }).tasks; // 2
 * ```
 */
export const sea = fluentSource(sources.sea);

/**
 * A stream of `n` consecutive pieces of a data set in the order of its table: chapters of a text, months of a time series. The test table
 * is cut in the same way, so every piece is a task of its own.
 *
 * @example
 * ```ts
 * import { digits, sequence } from "thalweg";
 * sequence(digits(), 4).experience(3).test.length; // 90
 * ```
 */
export const sequence = fluentSource(sources.sequence);

/**
 * A stream of `n` waves `y = a · sin(x − b)` with an amplitude from 0.1 to 5 and a phase from 0 to π, each a task of points from −5 to 5;
 * `Infinity` for a stream that never ends. What is asked for is one number.
 *
 * C. Finn, P. Abbeel, S. Levine, Model-agnostic meta-learning, arXiv:1703.03400, section 5.1.
 *
 * @example
 * ```ts
 * import { sines } from "thalweg";
 * sines(Infinity).experience(7).train.length; // 10
 * ```
 */
export const sines = fluentSource(sources.sines);
