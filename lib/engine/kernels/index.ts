/** All kernels that are recorded. Importing this file defines them. */
import "./blocks.ts";
import "./conv.ts";
import "./elementwise.ts";
import "./image.ts";
import "./index-ops.ts";
import "./linalg.ts";
import "./pool.ts";
import "./reduce.ts";
import "./shape.ts";
import "./volume.ts";
