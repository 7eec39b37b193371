/** What a wall of players knows at one moment; media seconds. */
export interface Moment {
  /** Where the common clock stands. */
  time: number
  /** Each screen: how far it can play on, what hole it stands in, whether its footage has ended. */
  screens: { playableTo: number; gap: { from: number; to: number } | null; over: boolean; waiting: boolean }[]
}

export type Move = { kind: 'run' } | { kind: 'wait' } | { kind: 'jump'; to: number } | { kind: 'over' }

/**
 * What the common clock does next: it waits for whoever is loading, leaves out what no camera has, and ends with the
 * last of them.
 */
export function nextMove({ screens }: Moment): Move {
  if (!screens.length || screens.every((screen) => screen.over)) return { kind: 'over' }
  if (screens.some((screen) => screen.waiting)) return { kind: 'wait' }
  const holes = screens.filter((screen) => !screen.over).map((screen) => screen.gap)
  if (holes.every((hole) => hole !== null)) return { kind: 'jump', to: Math.min(...holes.map((hole) => hole.to)) }
  return { kind: 'run' }
}

/** Keeps a player in step with the clock: a little faster or slower, a leap only where it is far off. */
export function correction(drift: number, speed: number): { seek: boolean; rate: number } {
  const far = 0.3 * Math.max(1, speed)
  if (Math.abs(drift) > far) return { seek: true, rate: speed }
  if (Math.abs(drift) < 0.02 * Math.max(1, speed)) return { seek: false, rate: speed }
  const rate = speed * (1 - Math.max(-0.1, Math.min(0.1, drift / Math.max(1, speed))))
  return { seek: false, rate: Math.min(16, Math.max(0.25, rate)) }
}
