/** Bare names that every session has from the kernel for a person to move, before those of the library. */
export const controlNames = [
  "widget",
  "live",
  "button",
  "checkbox",
  "number",
  "range",
  "select",
  "slider",
  "table",
  "tabs",
  "text",
] as const;
