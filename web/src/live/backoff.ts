const FIRST_MS = 500
const LONGEST_MS = 8000

/** Milliseconds to wait after so many failures in a row; `chance` (0..1) spreads many clients apart. */
export function backoff(failures: number, chance: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10))
  return full * (0.6 + 0.4 * chance)
}
