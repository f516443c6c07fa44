export function use(_: string): void {}
