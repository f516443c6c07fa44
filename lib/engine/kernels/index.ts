/** All kernels that are recorded. Importing this file defines them. */
import "./conv.ts";
import "./elementwise.ts";
import "./index-ops.ts";
import "./linalg.ts";
import "./pool.ts";
import "./reduce.ts";
import "./shape.ts";
