/** Finds the known name that a typo probably meant. Pure. */

/** Maximum edit distance; shorter names allow less. */
const MAX_DISTANCE = 3;

/** The known name closest to the typed one, or null when none is close. */
export function nearest(typed: string, known: readonly string[]): string | null {
  const most = Math.min(MAX_DISTANCE, Math.floor(typed.length / 2));
  const near = known.map((name) => ({ name, distance: distance(typed.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= most)
    .toSorted((a, b) => a.distance - b.distance);
  return near[0]?.name ?? null;
}

/** A "Did you mean" question to append to a message; empty when no known name is close. */
export function didYouMean(typed: string, known: readonly string[]): string {
  const name = nearest(typed, known);
  return name === null ? "" : `. Did you mean ${name}?`;
}

/** Edit distance that counts a swap of neighbours as one (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      ));
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length] ?? 0;
}
