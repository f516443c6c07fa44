/** Which trace is being recorded, for what must not be frozen into it. Numbers 1, 2, …; 0 while none is. */
export const era = { now: 0, last: 0 };
