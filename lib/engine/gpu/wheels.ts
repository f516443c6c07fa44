/** What an NVIDIA GPU needs besides its driver, as wheels of the Python Package Index: zip archives, of which only shared libraries are taken. */
import { nativeVersion } from "../runtime/native.ts";

/** One wheel, pinned: another file under its name is refused. */
export interface Wheel {
  readonly package: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** What it is for, in a word. */
  readonly about: string;
  /** The library in it that stands for all of them. */
  readonly library: string;
}

/** The version of ONNX Runtime that the wheels belong to: its provider is built from the same commit as the binding for Node. */
export const wheelsFor: string = nativeVersion;

/** The least driver of NVIDIA that runs CUDA 13. */
export const leastDriver = 580;

/** The least compute capability that the provider has kernels for: Ampere. */
export const leastCapability = 8;

/**
 * The wheels for Linux on x64. ONNX Runtime's asks for CUDA 13 and cuDNN 9 of any minor version; these are of CUDA 13.1. What Python would
 * need besides, and cuFFT, which the provider opens only for Fourier transforms, is left out.
 */
export const wheels: readonly Wheel[] = [
  {
    package: "onnxruntime-gpu",
    version: "1.30.0",
    file: "onnxruntime_gpu-1.30.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    bytes: 246685715,
    sha256: "6acc0f4b3d5ac5f2984432faa59dd8fcce6775f8b43a7140afa0f322c7a703b1",
    about: "ONNX Runtime's CUDA provider",
    library: "libonnxruntime_providers_cuda.so",
  },
  {
    package: "nvidia-cuda-runtime",
    version: "13.1.80",
    file: "nvidia_cuda_runtime-13.1.80-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    bytes: 2297816,
    sha256: "dac25b52e69050e5a7a84957e6df470a85b185f8f648a99a1ab1dfce027576cf",
    about: "CUDA's runtime",
    library: "libcudart.so.13",
  },
  {
    package: "nvidia-cublas",
    version: "13.1.2.11",
    file: "nvidia_cublas-13.1.2.11-py3-none-manylinux_2_27_x86_64.whl",
    bytes: 423122711,
    sha256: "e1ad7b57879088bc79e31cc172891a64332f76ae733084d4aaaaa65499b9b3de",
    about: "matrix products",
    library: "libcublas.so.13",
  },
  {
    package: "nvidia-curand",
    version: "10.4.1.81",
    file: "nvidia_curand-10.4.1.81-py3-none-manylinux_2_27_x86_64.whl",
    bytes: 59950480,
    sha256: "6ea66d0de7e71472b800829b525df15027bd3d8d0c475778a4d2b2abc7b453bb",
    about: "random numbers",
    library: "libcurand.so.10",
  },
  {
    package: "nvidia-cuda-nvrtc",
    version: "13.1.115",
    file: "nvidia_cuda_nvrtc-13.1.115-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
    bytes: 46564545,
    sha256: "d7cf1284ab82f379884decc8813d9d4a729bc96b1ec020a9cf80303f698d73c4",
    about: "kernels compiled while it runs",
    library: "libnvrtc.so.13",
  },
  {
    package: "nvidia-cudnn-cu13",
    version: "9.20.0.48",
    file: "nvidia_cudnn_cu13-9.20.0.48-py3-none-manylinux_2_27_x86_64.whl",
    bytes: 366173588,
    sha256: "0c45dd8eeb50b603f07995b1b300c62ffe6a1980482b82b3bcf94a4ca9d49304",
    about: "convolutions",
    library: "libcudnn.so.9",
  },
];

/** Whether a file of a wheel is a library that is taken: of ONNX Runtime's own, the provider alone. */
export const isTaken = (name: string): boolean =>
  /^onnxruntime\//.test(name)
    ? /\/libonnxruntime_providers_(shared|cuda)\.so$/.test(name)
    : /(^|\/)lib\/lib[^/]+\.so[.\d]*$/.test(name);

/** Whether a file of a wheel says under which terms it is used. */
export const isLicence = (name: string): boolean =>
  /^(onnxruntime|[^/]+\.dist-info(\/licenses)?)\/(licen[cs]e|notice|thirdparty)[^/]*$/i.test(name);

/** A number of bytes as people say it. */
export const inMegabytes = (bytes: number): string =>
  bytes < 1e6
    ? `${Math.ceil(bytes / 1e3)} kB`
    : bytes < 1e9
      ? `${Math.round(bytes / 1e6)} MB`
      : `${(bytes / 1e9).toFixed(2)} GB`;
