/** Why a function cannot be traced; `remedy` says what to write instead. */
export class TraceError extends Error {
  readonly remedy: string;
  constructor(message: string, remedy: string) {
    super(message);
    this.name = "TraceError";
    this.remedy = remedy;
  }
}
