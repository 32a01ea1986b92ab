/** The ticket at its whole length. */
export function wholeTicket(bytes: readonly number[]): number[];
