/** What programs are compiled for. Kernels ask it where providers differ in what they can run. */
export const target = {
  /** The execution provider of ONNX Runtime. */
  provider: "cpu" as "cpu" | "webgpu" | "cuda",
  /** Threads for programs that have enough work for them; results are bit-identical for one number of threads. */
  threads: 2,
  /** Changes whenever compiled programs no longer fit. */
  generation: 0,
};
