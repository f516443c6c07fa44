/** Numbers that are used but not learnt from. */
export { still } from "../../models/parts/gradients.ts";
