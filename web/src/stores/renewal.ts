/** How long before its end a token is renewed, at least and at most (milliseconds): tabs must not all ask at once. */
const EARLY = 60_000
const SPREAD = 30_000

/** Milliseconds to wait before a token that ends at `until` is renewed. `chance`: 0 to 1. */
export function renewAt(until: number, now: number, chance: number): number {
  const left = until - now
  const early = Math.min(EARLY + SPREAD * chance, left * (0.4 + 0.2 * chance))
  return Math.max(0, Math.min(left - early, 2 ** 31 - 1))
}
