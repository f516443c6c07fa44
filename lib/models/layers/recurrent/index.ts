/** Layers that go through a sequence place by place with a state. */
// Written by `npm run gen`.
export * from "./cfc.ts";
export * from "./columns.ts";
export * from "./decouple.ts";
export * from "./echo-state.ts";
export * from "./elstm.ts";
export * from "./gru.ts";
export * from "./lif.ts";
export * from "./lstm.ts";
export * from "./ltc.ts";
export * from "./pointer.ts";
export * from "./quantum-rnn.ts";
export * from "./rnn.ts";
export * from "./slstm.ts";
