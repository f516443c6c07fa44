/** A variational autoencoder of dense layers, trained beside the network. */
import { type Shape, sizeOf } from "../../data/dataset.ts";
import { type Rng, tf } from "../../engine/index.ts";

/** One dense layer. */
type Dense = { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };

/** Encoder and decoder, each of two hidden layers with rectifiers. A type, not an interface, so that it is a tree of tensors. */
export type Vae = {
  readonly in1: Dense;
  readonly in2: Dense;
  readonly mean: Dense;
  readonly spread: Dense;
  readonly out1: Dense;
  readonly out2: Dense;
  readonly picture: Dense;
};

/** A new autoencoder for examples of a shape; weights begin uniform in ±1/√inputs. */
export function freshVae(rng: Rng, shape: Shape, latent: number, units: number): Vae {
  const size = sizeOf(shape);
  const dense = (name: string, from: number, to: number): Dense => {
    const bound = 1 / Math.sqrt(from);
    return {
      kernel: rng.at(name, "kernel").uniforms([from, to], -bound, bound),
      bias: rng.at(name, "bias").uniforms([to], -bound, bound),
    };
  };
  return {
    in1: dense("in1", size, units),
    in2: dense("in2", units, units),
    mean: dense("mean", units, latent),
    spread: dense("spread", units, latent),
    out1: dense("out1", latent, units),
    out2: dense("out2", units, units),
    picture: dense("picture", units, size),
  };
}

const through = (x: tf.Tensor, { kernel, bias }: Dense): tf.Tensor =>
  tf.add(tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D), bias);

function pictureLogits(vae: Vae, code: tf.Tensor): tf.Tensor {
  return through(tf.relu(through(tf.relu(through(code, vae.out1)), vae.out2)), vae.picture);
}

/** *Traced.* Examples from codes, with numbers in [0, 1]. */
export function decoded(vae: Vae, code: tf.Tensor, shape: Shape): tf.Tensor {
  return tf.reshape(tf.sigmoid(pictureLogits(vae, code)), [code.shape[0]!, ...shape]);
}

/**
 * *Traced.* The negative evidence bound, the mean over examples and over the numbers of an example: binary cross-entropy of the picture
 * plus the divergence of the code from a standard normal (Kingma and Welling 2014, eq. 10). `noise` is `[n, latent]`, standard normal.
 */
export function vaeLoss(vae: Vae, x: tf.Tensor, noise: tf.Tensor): tf.Scalar {
  const flat = tf.reshape(x, [x.shape[0]!, -1]);
  const hidden = tf.relu(through(tf.relu(through(flat, vae.in1)), vae.in2));
  const [mean, spread] = [through(hidden, vae.mean), through(hidden, vae.spread)];
  const logits = pictureLogits(vae, tf.add(mean, tf.mul(tf.exp(tf.div(spread, 2)), noise)));
  const picture = tf.sum(tf.sub(tf.softplus(logits), tf.mul(flat, logits)), -1);
  const code = tf.div(tf.sum(tf.sub(tf.add(tf.square(mean), tf.exp(spread)), tf.add(spread, 1)), -1), 2);
  return tf.div(tf.mean(tf.add(picture, code)), flat.shape[1]!) as tf.Scalar;
}

/** *Traced.* What an autoencoder of vectors makes of them, from the mean of their codes: any numbers, not only those in [0, 1]. */
export function reconstructed(vae: Vae, x: tf.Tensor): tf.Tensor {
  const hidden = tf.relu(through(tf.relu(through(x, vae.in1)), vae.in2));
  return pictureLogits(vae, through(hidden, vae.mean));
}

/** *Traced.* The negative evidence bound of vectors with unit Gaussian noise, the mean over vectors and over their numbers. */
export function representationLoss(vae: Vae, x: tf.Tensor, noise: tf.Tensor): tf.Scalar {
  const flat = tf.reshape(x, [x.shape[0]!, -1]);
  const hidden = tf.relu(through(tf.relu(through(flat, vae.in1)), vae.in2));
  const [mean, spread] = [through(hidden, vae.mean), through(hidden, vae.spread)];
  const made = pictureLogits(vae, tf.add(mean, tf.mul(tf.exp(tf.div(spread, 2)), noise)));
  const far = tf.div(tf.sum(tf.square(tf.sub(made, flat)), -1), 2);
  const code = tf.div(tf.sum(tf.sub(tf.add(tf.square(mean), tf.exp(spread)), tf.add(spread, 1)), -1), 2);
  return tf.div(tf.mean(tf.add(far, code)), flat.shape[1]!) as tf.Scalar;
}
