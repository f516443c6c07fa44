const asked = Number(process.env.THALWEG_THREADS);

/** What programs are compiled for. Kernels ask it where providers differ in what they can run. */
export const target = {
  /** The execution provider of ONNX Runtime. */
  provider: "cpu" as "cpu" | "webgpu" | "cuda",
  /** The provider that computes, while a function is recorded for others to run; null where that is `provider`. */
  computing: null as "cpu" | "webgpu" | "cuda" | null,
  /**
   * Threads for programs that have enough work for them: THALWEG_THREADS, or 2. Results are bit-identical for one number of
   * threads, so the default does not depend on the machine.
   */
  threads: Number.isInteger(asked) && asked > 0 ? asked : 2,
  /** Changes whenever compiled programs no longer fit. */
  generation: 0,
};
