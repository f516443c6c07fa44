/** What cells can put into the page for a person to move: bare names of the session. */
import type { controlNames } from "../../widgets/names.ts";
import { widget } from "../widget.ts";
import { button } from "./button.ts";
import { checkbox } from "./checkbox.ts";
import { live } from "./live.ts";
import { number } from "./number.ts";
import { range } from "./range.ts";
import { select } from "./select.ts";
import { slider } from "./slider.ts";
import { table } from "./table.ts";
import { tabs } from "./tabs.ts";
import { text } from "./text.ts";

export const controls = {
  ...{ widget, live, button, checkbox, number, range, select, slider, table, tabs, text },
} satisfies Record<(typeof controlNames)[number], unknown>;
